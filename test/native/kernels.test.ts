import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { openModel, type Model, type ModelOptions } from '../../lib/model/index.js'
import { cpuModules } from '../../lib/native.js'
import { smollm2Path } from '../support/real-models.js'

const tool = join(import.meta.dirname, '..', '..', '.cmake', 'release', 'bin', 'kernel-check')
const run = promisify(execFile)

interface Findings {
  readonly cases: number
  readonly differing: number
  readonly own: number
  readonly upstream: number
  readonly worse: readonly string[]
}

beforeAll(() => {
  if (!existsSync(tool))
    throw new Error("The tool that checks kernels is not built; run 'npm run build:peers' and repeat.")
})

describe('our kernels of every CPU module that this machine can run', () => {
  const usable = cpuModules().filter(({ score }) => score > 0)

  it.each(usable)('$name is as exact as upstream, over random shapes', { timeout: 300_000 }, async ({ path }) => {
    const { stdout } = await run(tool, [path, '20261126', '150'])
    const findings = JSON.parse(stdout) as Findings
    expect(findings.cases).toBe(150)
    // About half, those with more than one cell; in none if ours did not run.
    expect(findings.differing).toBeGreaterThan(50)
    expect(findings.worse).toEqual([])
  })
})

const absent = ['aarch64-linux-gnu-g++', 'qemu-aarch64-static'].find(
  (name) => spawnSync(name, ['--version']).status !== 0,
)
const whyNoArm = absent === undefined ? '' : `: the program ${absent} is not installed here`

describe.skipIf(absent !== undefined)(`our kernels compiled for ARM${whyNoArm}`, () => {
  // A first build takes a core for a minute: not from the tests beside this one.
  it('are as exact as upstream under emulation, over random shapes', { timeout: 900_000 }, async () => {
    const script = join(import.meta.dirname, 'cross-check.mjs')
    const { stdout } = await run('nice', ['-n', '19', process.execPath, script, '40', '20261126', 'armv8.0'])
    expect(stdout).toMatch(/^ok .*\nAs exact as upstream\.\n$/)
  })
})

describe('a model of which our kernels compute', () => {
  const prompt = `The sea was calm. ${'The boat went out in the morning and came back in the evening. '.repeat(6)}One day`

  async function logprobs(options: Pick<ModelOptions, 'kernels' | 'flashAttention'>): Promise<number[]> {
    const model: Model = await openModel({ path: await smollm2Path() }, { ...options, contextSize: 1024, parallel: 1 })
    try {
      const { logprobs = [] } = await model.generate(prompt, { maxTokens: 8, logprobs: 1, temperature: 0 })
      return logprobs.map(([first]) => first!.logprob)
    } finally {
      await model.close()
    }
  }

  it('says what it says by upstream, but for rounding', { timeout: 120_000 }, async () => {
    const [own, upstream] = [await logprobs({}), await logprobs({ kernels: 'upstream' })]
    // Inputs of products are rounded to eight bits, which makes much of little: by as much upstream differs from itself.
    const unfused = await logprobs({ kernels: 'upstream', flashAttention: 'off' })
    expect(own).toHaveLength(8)
    const apart = (other: number[]) => other.reduce((sum, value, i) => sum + Math.abs(value - upstream[i]!), 0) / 8
    expect(apart(own)).toBeLessThan(2 * apart(unfused))
    // Not the same to the last bit, or one of the two was not asked.
    expect(own).not.toEqual(upstream)
  })
})
