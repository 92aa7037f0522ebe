import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { repository } from '../contracts/source-file.js'
import { writeScriptedModel } from '../support/scripted-model.js'
import { smollm2Path } from '../support/real-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const model = join(directory.path, 'scripted.gguf')

/** Runs an example as a reader would, with the built package and a home of its own. */
async function run(example: string, ...args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const env = { ...process.env, HOME: directory.path }
  return promisify(execFile)(process.execPath, [join(repository, 'examples', example), model, ...args], { env })
}

describe('examples run with the built package', () => {
  beforeAll(() => writeScriptedModel(model))

  it('chat.mjs prints one answer and how it ended', async () => {
    const { stdout, stderr } = await run('chat.mjs', 'K9')
    expect(stdout).toBe('0123456789\n(11 tokens, stop)\n')
    expect(stderr).toBe('')
  })

  it('branches.mjs prints a beginning and two endings', async () => {
    const { stdout } = await run('branches.mjs', 'K9', 'K9 K9', 'K0 K0 K0')
    const [first, ...endings] = stdout.trim().split('\n')
    expect(first).toBe('0123456789')
    expect(endings).toHaveLength(2)
    for (const ending of endings) expect(ending).toMatch(/^\(\d\d tokens cached\) [\da-z]+/)
  })

  it('stream.mjs prints two answers as they are made', async () => {
    const { stdout } = await run('stream.mjs')
    for (const question of ['Name three colours.', 'Name three animals.']) {
      expect(stdout.split('\n').filter((line) => line.startsWith(question)).length).toBeGreaterThan(1)
    }
  })

  it('tools.mjs has a real model call a tool and say what came of it', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      join(repository, 'examples', 'tools.mjs'),
      await smollm2Path(),
    ])
    expect(stdout).toMatch(
      /^calls weather\(\{"city":"Rome"\}\)\ngets {2}Rome: sunny, 21 degrees, light wind\.\nsays {2}.*sunny/,
    )
  })
})
