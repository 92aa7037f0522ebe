import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { Store } from '../../lib/store/index.js'
import { smollm2Path, testStore } from '../support/real-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { freshEnvironment, llamero } from './command-line.js'

const temporary = temporaryDirectory()

describe('SmolLM2', () => {
  beforeAll(() => smollm2Path(), 600_000)

  it('is carried into an empty store, where it answers', { timeout: 300_000 }, async () => {
    const file = join(temporary.path, 'smollm2.tar')
    const here = { ...freshEnvironment(temporary.path), LLAMERO_MODELS: testStore().directory }
    const there = { ...freshEnvironment(temporary.path), PATH: temporary.path, HTTPS_PROXY: 'http://127.0.0.1:9' }
    expect(await llamero(['save', 'smollm2:135m', '-o', file], { environment: here })).toMatchObject({ exitCode: 0 })
    const { manifestDigest, modelDigest } = await testStore().resolve('smollm2:135m')
    const listed = execFileSync('tar', ['tf', file], { encoding: 'utf8' })
    for (const digest of [manifestDigest, modelDigest]) expect(listed).toContain(`blobs/sha256/${digest.slice(7)}\n`)

    const loaded = await llamero(['load', '-i', file], { environment: there })
    expect(loaded).toMatchObject({ exitCode: 0, stdout: "loaded 'smollm2:135m'\n" })
    const store = new Store({ directory: there.LLAMERO_MODELS })
    expect(await store.resolve('smollm2:135m')).toMatchObject({ manifestDigest, modelDigest })
    expect(
      readFileSync((await store.resolve('smollm2:135m')).modelPath).equals(readFileSync(await smollm2Path())),
    ).toBe(true)
    const answer = ['run', 'smollm2:135m', 'Why is the sky blue?', '--temperature', '0', '--num-predict', '24']
    const ending = await llamero(answer, { environment: there })
    expect(ending).toMatchObject({ exitCode: 0, stderr: '' })
    expect(ending.stdout).toMatch(/\b(sky|light)\b/)
  })
})
