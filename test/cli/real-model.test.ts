import { beforeAll, describe, expect, it } from 'vitest'
import { smollm2Path, testStore } from '../support/real-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { freshEnvironment, llamero } from './command-line.js'

const temporary = temporaryDirectory()

describe('SmolLM2', () => {
  // Nothing can be fetched: a program that tried to would fail.
  const environment = {
    ...freshEnvironment(temporary.path),
    LLAMERO_MODELS: testStore().directory,
    PATH: temporary.path,
    HTTP_PROXY: 'http://127.0.0.1:9',
    HTTPS_PROXY: 'http://127.0.0.1:9',
  }

  beforeAll(() => smollm2Path(), 600_000)

  it('answers from the store without a network', { timeout: 300_000 }, async () => {
    const ending = await llamero(
      ['run', 'smollm2:135m', 'Why is the sky blue?', '--temperature', '0', '--num-predict', '24'],
      { environment },
    )
    expect(ending).toMatchObject({ exitCode: 0, stderr: '' })
    expect(ending.stdout).toMatch(/\b(sky|light)\b.*\n\n$/s)
  })

  it('is listed', async () => {
    const { stdout } = await llamero(['list', 'SMOL'], { environment })
    expect(stdout).toMatch(/^smollm2:135m {4}[0-9a-f]{12} {4}98 MB {4}.+ ago$/m)
  })
})
