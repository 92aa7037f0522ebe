import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { LlameroError } from '../../../lib/errors.js'
import { seededRandom } from '../../support/seeded-random.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { executeSource } from './execute-source.js'
import { mutated, randomData, TemplateMaker } from './random-template.js'

const temporary = temporaryDirectory()
const program = fileURLToPath(new URL('oracle/main.go', import.meta.url))

/** Ranges over numbers came with Go 1.22, some of the rules about them with 1.24. */
function hasGo(): boolean {
  const { stdout } = spawnSync('go', ['version'], { encoding: 'utf8' })
  const [, minor] = /go1\.(\d+)/.exec(stdout) ?? []
  return Number(minor) >= 24
}

interface Answer {
  readonly out: string | null
  readonly error?: string
}

function askGo(sources: readonly string[]): readonly Answer[] {
  const oracle = join(temporary.path, 'oracle')
  execFileSync('go', ['build', '-o', oracle, program], { env: { ...process.env, GO111MODULE: 'off' } })
  const input = sources.map((Source) => `${JSON.stringify({ Source, Data: randomData })}\n`).join('')
  const output = execFileSync(oracle, { input, maxBuffer: 2 ** 30, encoding: 'utf8' })
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Answer)
}

function outcomeOf(source: string): string | undefined {
  try {
    return executeSource(source, randomData)
  } catch (error) {
    if (error instanceof LlameroError && error.code === 'ERR_TEMPLATE') return undefined
    throw error
  }
}

const count = Number(process.env['LLAMERO_GO_TEMPLATES'] ?? 6000)
const seed = Number(process.env['LLAMERO_SEED'] ?? 1)

// Go is no part of what the project needs; where it is installed it is asked.
describe.runIf(hasGo())("Go's own text/template", () => {
  it(`prints the same, or fails too: ${count} random templates, seed ${seed}`, () => {
    const random = seededRandom(seed)
    const maker = new TemplateMaker(random)
    const kinds = [() => maker.printf(), () => maker.template(), () => mutated(maker.template(), random)]
    const sources = Array.from({ length: count }, (_, index) => kinds[index % kinds.length]!())
    const answers = askGo(sources)
    expect(answers).toHaveLength(count)
    const different = sources.flatMap((source, index) => {
      const { out, error } = answers[index]!
      const expected = error === undefined ? Buffer.from(out ?? '', 'base64').toString() : undefined
      const ours = outcomeOf(source)
      // Half a character is U+FFFD with us, and addresses are none of ours.
      const isSpecial = /\uFFFD|0xc0[0-9a-f]{8}/.test(`${expected ?? error ?? ''}${ours ?? ''}`)
      return expected === ours || isSpecial ? [] : [{ source, expected: expected ?? error, ours }]
    })
    expect(different).toEqual([])
  })
})
