import { copyFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { load } from '../../lib/index.js'
import { freshEnvironment, llamero } from '../cli/command-line.js'
import { hasPeer, runPeer } from '../support/peer-tool.js'
import { smollm2Path } from '../support/real-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const probeDirectory = join(directory.path, 'probes')
const first = join(directory.path, 'smollm2-00001-of-00003.gguf')
const options = { probeDirectory, contextSize: 512 }

async function answerOf(path: string): Promise<string> {
  const model = await load(path, options)
  try {
    return (await model.generate('Once upon a time', { temperature: 0, maxTokens: 16 })).text
  } finally {
    await model.close()
  }
}

describe.skipIf(!hasPeer('llama-gguf-split'))('SmolLM2 in three parts (skipped until `npm run build:peers`)', () => {
  let whole = ''
  beforeAll(async () => {
    whole = await smollm2Path()
    runPeer('llama-gguf-split', ['--split-max-size', '40M', whole, 'smollm2'], directory.path)
    expect(readdirSync(directory.path).filter((name) => name.startsWith('smollm2-'))).toHaveLength(3)
  }, 600_000)

  it('answers as the whole does', { timeout: 300_000 }, async () => {
    expect(await answerOf(first)).toBe(await answerOf(whole))
  })

  it('answers on the command line', { timeout: 300_000 }, async () => {
    const environment = freshEnvironment(directory.path)
    const args = ['run', first, 'Why is the sky blue?', '--temperature', '0', '--num-predict', '24']
    const ending = await llamero(args, { environment })
    expect(ending).toMatchObject({ exitCode: 0, stderr: '' })
    expect(ending.stdout).toMatch(/\b(sky|light)\b/)
  })

  it('is named by its first part', async () => {
    await expect(load(first.replace('00001-of', '00002-of'), options)).rejects.toMatchObject({
      code: 'ERR_MODEL_INVALID',
      message: expect.stringMatching(/part 2 of 3; name the first, 'smollm2-00001-of-00003\.gguf'/) as string,
    })
  })

  it('is not put into the store as it is', async () => {
    const ending = await llamero(['pull', first], { environment: freshEnvironment(directory.path) })
    expect(ending.exitCode).toBe(1)
    expect(ending.stderr).toMatch(/one of 3 parts.*join them/s)
  })

  it('says which part is missing', async () => {
    const alone = join(directory.path, 'alone-00001-of-00003.gguf')
    copyFileSync(first, alone)
    await expect(load(alone, options)).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: expect.stringMatching(/no part 2 of 3, 'alone-00002-of-00003\.gguf'/) as string,
    })
    rmSync(alone)
  })
})
