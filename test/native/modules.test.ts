import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { backendReport, cpuModules } from '../../lib/native.js'
import type { NativeTokenLogprob } from '../../lib/native.js'
import { smollm2Path } from '../support/real-models.js'
import { runChild } from './child.js'

interface Answer {
  readonly cpuModule: string
  readonly inputTokens: number
  readonly text: string
  readonly tokens: readonly number[]
  readonly logprobs: readonly (readonly NativeTokenLogprob[])[]
}

async function answer(module: string, model: string): Promise<Answer> {
  const { code, signal, stdout, stderr } = await runChild('module-child.ts', [module, model], 280_000)
  expect({ module, code, signal, stderr }).toMatchObject({ code: 0, signal: null })
  return JSON.parse(stdout) as Answer
}

const usable = cpuModules().filter(({ score }) => score > 0)

describe('the CPU module in use', () => {
  it('is the best of those that this machine can run', () => {
    const scores = cpuModules().map(({ score }) => score)
    expect(scores).toEqual(scores.toSorted((a, b) => b - a))
    expect(backendReport().cpuModule).toBe(usable[0]?.name)
  })

  it.runIf(process.platform === 'linux' && process.arch === 'x64')('is not the plainest on a machine with AVX2', () => {
    const flags = /^flags\s*:.*$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[0].split(/\s+/) ?? []
    if (flags.includes('avx2')) expect(['x64', 'sse42']).not.toContain(backendReport().cpuModule)
    expect(usable.map(({ name }) => name)).toContain('x64')
  })
})

describe('every CPU module that this machine can run', () => {
  let path: string
  let reference: Answer
  beforeAll(async () => {
    path = await smollm2Path()
    reference = await answer(usable[0]?.path ?? '', path)
  }, 300_000)

  // Modules add up in different orders and some in other precisions, so they part where two tokens nearly tie. Until
  // then their log probabilities are close; where they part, the two tokens must have been close in both.
  // Measured over all modules of an Intel server: 0.15 at most.
  const closeness = 0.3

  it.each(usable)('$name says the same', { timeout: 300_000 }, async ({ name, path: module }) => {
    const own = await answer(module, path)
    expect(own.cpuModule).toBe(name)
    expect(own.inputTokens).toBeGreaterThan(64)
    expect(own.tokens.length).toBe(16)
    const parting = own.tokens.findIndex((token, index) => token !== reference.tokens[index])
    const common = parting === -1 ? own.tokens.length : parting
    for (let index = 0; index < common; index++) {
      expect(Math.abs(logprob(own, index) - logprob(reference, index)), `token ${index} of ${name}`).toBeLessThan(
        closeness,
      )
    }
    if (parting === -1) return expect(own.text).toBe(reference.text)
    for (const { logprobs } of [own, reference]) {
      const [, first, second] = logprobs[parting] ?? []
      expect((first?.logprob ?? 0) - (second?.logprob ?? -Infinity), `${name} parts at ${parting}`).toBeLessThan(
        closeness,
      )
    }
    expect(parting, `${name} parts at once`).toBeGreaterThan(0)
  })
})

// A process may load several modules, if only to ask how they suit the machine. A name that one shares with the process
// would stand for the same thing in all of them, made for another processor's instructions.
describe.runIf(process.platform === 'linux')('every CPU module that is built', () => {
  it.each(cpuModules())('$name keeps what is ours to itself', ({ path: module }) => {
    const names = execFileSync('nm', ['--dynamic', '--defined-only', '--format=posix', module], { encoding: 'utf8' })
    const ours = names.split('\n').flatMap((line) => line.match(/^\S*llamero\S*/) ?? [])
    expect(ours).toEqual(['llamero_kernels_here'])
  })
})

function logprob({ logprobs }: Answer, index: number): number {
  return logprobs[index]?.[0]?.logprob ?? NaN
}
