import { execFile } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import { smollm2Path } from '../support/real-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { openRawEngine, plainEngine, type RawEngine } from './raw-engine.js'

const tool = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '.cmake', 'release', 'bin', 'llama-completion')
const directory = temporaryDirectory()
const run = promisify(execFile)

const prompts = [
  'The capital of France is',
  'Once upon a time, there was a little fox who',
  'def fibonacci(n):\n    """Return the n-th Fibonacci number."""\n',
  'Ingredients for a simple tomato soup:\n-',
  'The three laws of thermodynamics state that',
  '1, 1, 2, 3, 5, 8, 13,',
  'Dear Sir or Madam,\n\nI am writing to',
  'Die Hauptstadt von Deutschland ist',
  '<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n',
  `Summary of the meeting: ${'We spoke about the budget, the garden and the new roof. '.repeat(12)}In short,`,
]

/**
 * What must match for the same words: model and CPU module, upstream's kernels on both sides, context and batch sizes
 * (they decide how the prompt is cut), threads (one: it is the only number that waits for nobody on a busy machine), flash
 * attention and KV types. Sampling: temperature 0, penalties neutral (upstream's defaults), the end tokens banned on both
 * sides. Our KV cache is unified, the tool's has one stream: with one sequence that is the same.
 */
const context = 2048
const settings = {
  '--ctx-size': context,
  '--batch-size': plainEngine.batchSize,
  '--ubatch-size': plainEngine.microBatchSize,
  '--threads': 1,
  '--flash-attn': 'auto',
  '--cache-type-k': 'f16',
  '--cache-type-v': 'f16',
  '--temp': 0,
  '--predict': 65,
  '--verbosity': 5,
}
const switches = ['--ignore-eos', '-no-cnv', '--no-display-prompt', '--no-escape', '--special', '--no-log-timestamps']

/** The tool's tokens by their bytes: its log has a line of its own between any two. The 65th only closes the 64th. */
async function upstream(model: string, prompt: string): Promise<Buffer[]> {
  const log = join(directory.path, 'completion.log')
  rmSync(log, { force: true })
  const options = Object.entries(settings).flatMap(([name, value]) => [name, String(value)])
  const args = ['--model', model, '--prompt', prompt, '--log-file', log, ...options, ...switches]
  const running = run(tool, args, { maxBuffer: 2 ** 26, timeout: 170_000 })
  running.child.stdin?.end()
  await running
  const tokens = readFileSync(log, 'latin1').matchAll(/n_remain: \d+\n([^]*?)D n_past = \d+\n/g)
  return [...tokens].map(([, piece = '']) => Buffer.from(piece, 'latin1'))
}

describe('greedy answers of SmolLM2', () => {
  let engine: RawEngine
  let close = () => Promise.resolve()
  let path: string
  const ids = new Map<string, number>()
  beforeAll(async () => {
    if (!existsSync(tool)) {
      throw new Error("llama.cpp's completion tool is not built; run 'npm run build:peers' and repeat.")
    }
    path = await smollm2Path()
    engine = await openRawEngine(path, { contextSize: context, threads: 1, ownKernels: false })
    close = () => engine.close()
    const addon = nativeAddon()
    const { vocabularySize } = addon.modelInfo(engine.model)
    for (let id = 0; id < vocabularySize; id++) {
      const piece = Buffer.from(addon.piece(engine.model, id))
      const options = { removeSpecial: false, renderSpecial: true }
      const bytes =
        piece.length > 0 ? piece : Buffer.from(await addon.detokenize(engine.model, Int32Array.of(id), options))
      ids.set(bytes.toString('latin1'), id)
    }
  })
  afterAll(() => close())

  it('can be told apart by the bytes of their tokens', () => {
    expect(ids.size).toBe(nativeAddon().modelInfo(engine.model).vocabularySize)
  })

  it.each(prompts)('are those of llama.cpp over 64 tokens: %j', { timeout: 180_000 }, async (prompt) => {
    const theirs = await upstream(path, prompt)
    expect(theirs.length).toBe(64)
    const ours = await engine.run(prompt, { maxTokens: 64, ignoreEos: true })
    expect(ours.tokens).toEqual(theirs.map((piece) => ids.get(piece.toString('latin1'))))
  })
})
