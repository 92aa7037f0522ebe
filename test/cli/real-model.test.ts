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

  it('is shown with what its header says', async () => {
    const { exitCode, stdout } = await llamero(['show', 'smollm2:135m'], { environment })
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(
      /^ {2}Model\n {4}architecture {8}llama\n {4}parameters {10}134\.52M\n {4}context length {6}8192\n {4}embedding length {4}576\n {4}quantization {8}Q4_1\n\n {2}Capabilities\n {4}completion\n\n {2}License\n/,
    )
    const { stdout: template } = await llamero(['show', 'smollm2:135m', '--template'], { environment })
    expect(template).toContain('<|im_start|>')
  })

  it('is verified', async () => {
    const { exitCode, stdout, stderr } = await llamero(['verify', 'smollm2:135m'], { environment })
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toBe('verified 3 blobs of 1 model, 98 MB\n')
  })
})
