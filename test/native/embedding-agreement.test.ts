import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { openModel, type Model, type Pooling } from '../../lib/model/index.js'
import { text, u32 } from '../support/gguf-writer.js'
import { randomModel, type RandomArchitecture, type RandomModelOptions } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const tool = join(import.meta.dirname, '..', '..', '.cmake', 'release', 'bin', 'llama-embedding')
const directory = temporaryDirectory()
const run = promisify(execFile)

const texts = [
  'hello world',
  'the sky is blue',
  'a',
  'blue blue blue blue. is the world blue? is it, hello!',
  'hello '.repeat(30).trim(),
]

/**
 * What the tool prints, `rows` rows of `width` numbers: one for each line of the prompt, or for each token. One thread
 * and upstream's kernels on both sides; the tool's unified cache is ours too. The tool ends without waiting for the
 * thread that prints, so that rows, numbers and line ends are lost on a busy machine: then it is asked again.
 */
async function upstream(
  path: string,
  prompts: readonly string[],
  { pooling, normalize, rows, width }: { pooling: Pooling; normalize: boolean; rows: number; width: number },
) {
  const args = ['--model', path, '--prompt', prompts.join('\n'), '--pooling', pooling, '--threads', '1']
  const format = ['--embd-output-format', 'raw', '--embd-normalize', normalize ? '2' : '-1', '--no-escape']
  for (let times = 0; times < 60; times++) {
    const running = run(tool, [...args, ...format, '--ctx-size', '512'], { maxBuffer: 2 ** 26, timeout: 50_000 })
    running.child.stdin?.end()
    const { stdout } = await running
    const lines = stdout.split('\n').slice(0, -1)
    const found = lines.filter((line) => /^-?\d+\.\d{7}( -?\d+\.\d{7})*$/.test(line))
    const numbers = found.map((row) => row.split(' ').map(Number))
    if (numbers.length === rows && numbers.every(({ length }) => length === width)) return numbers
  }
  throw new Error(`llama.cpp's embedding tool never printed all of ${rows} rows of ${width} numbers.`)
}

async function withModel<Value>(
  [architecture, options]: [RandomArchitecture, RandomModelOptions?],
  use: (model: Model, path: string) => Promise<Value>,
  kernels: 'llamero' | 'upstream' = 'upstream',
): Promise<Value> {
  const path = await directory.write(`${architecture}.gguf`, randomModel(architecture, options))
  const model = await openModel({ path }, { threads: 1, contextSize: 512, kernels })
  try {
    return await use(model, path)
  } finally {
    await model.close()
  }
}

/** Rows of `width` numbers that one array may hold several of. */
function rowsOf(embeddings: readonly Float32Array[], width: number): number[][] {
  return embeddings.flatMap((all) =>
    Array.from({ length: all.length / width }, (_, row) => [...all.subarray(row * width, (row + 1) * width)]),
  )
}

function expectClose(ours: readonly number[][], theirs: readonly number[][], within: number): void {
  expect(ours.map((row) => row.length)).toEqual(theirs.map((row) => row.length))
  for (const [row, numbers] of ours.entries())
    for (const [column, value] of numbers.entries())
      expect(Math.abs(value - theirs[row]![column]!), `row ${row}, column ${column}`).toBeLessThanOrEqual(within)
}

beforeAll(() => {
  if (!existsSync(tool)) {
    throw new Error("llama.cpp's embedding tool is not built; run 'npm run build:peers' and repeat.")
  }
})

const poolings: readonly Pooling[] = ['mean', 'cls', 'last', 'none']

describe.each(['bert', 'llama', 'qwen3', 'gemma3'] as const)('vectors of a tiny %s', (architecture) => {
  it.each(poolings)('pooled by %s are those of llama.cpp, raw and normalised', { timeout: 120_000 }, (pooling) =>
    withModel([architecture], async (model, path) => {
      for (const normalize of [false, true]) {
        const { embeddings } = await model.embed(texts, { pooling, normalize })
        const ours = rowsOf(embeddings, model.info.embeddingSize)
        const width = model.info.embeddingSize
        const theirs = await upstream(path, texts, { pooling, normalize, rows: ours.length, width })
        expect(ours.length).toBeGreaterThanOrEqual(texts.length)
        expectClose(ours, theirs, 1e-4)
      }
    }),
  )
})

it('vectors of a tiny bert are nearly the same by our kernels, which round less', { timeout: 120_000 }, async () => {
  const vectors = (kernels: 'llamero' | 'upstream'): Promise<number[][]> =>
    withModel(
      ['bert'],
      async (model) => rowsOf((await model.embed(texts)).embeddings, model.info.embeddingSize),
      kernels,
    )
  const [own, upstream] = [await vectors('llamero'), await vectors('upstream')]
  expectClose(own, upstream, 1e-3)
  expect(own).not.toEqual(upstream)
})

describe('scores of a tiny reranker', () => {
  const query = 'is the sky blue?'

  it.each([
    ['bert', { classifier: ['LABEL_0'] }],
    ['bert', { classifier: ['no', 'maybe', 'yes'] }],
    ['qwen3', { classifier: ['yes', 'no'] }],
    [
      'qwen3',
      {
        classifier: ['yes', 'no'],
        metadata: {
          'tokenizer.chat_template.rerank': text('<|im_start|>Query: {query}\nDocument: {document}<|im_end|>\n'),
        },
      },
    ],
  ] as const)('are those of llama.cpp: %s %j', { timeout: 120_000 }, (architecture, options) =>
    withModel([architecture, options], async (model, path) => {
      const pairs = texts.map((document) => `${query}\t${document}`)
      const width = options.classifier.length
      const theirs = await upstream(path, pairs, { pooling: 'rank', normalize: false, rows: pairs.length, width })
      const { results } = await model.rerank(query, texts)
      const ours = texts.map((_, index) => [results.find((one) => one.index === index)!.score])
      expectClose(
        ours,
        theirs.map(([first = 0]) => [first]),
        1e-4,
      )
      const scores = results.map(({ score }) => score)
      expect(scores).toEqual([...scores].sort((a, b) => b - a))
    }),
  )

  it('come one by one where the model has no output layer behind its classifier', () => {
    const options = { metadata: { 'bert.pooling_type': u32(4) } }
    return withModel(['bert', options], async (model) => {
      const { results } = await model.rerank(query, texts)
      for (const { index, score } of results) {
        const alone = await model.rerank(query, [texts[index]!])
        expect(alone.results[0]!.score).toBeCloseTo(score, 4)
      }
      expect(model.embeddingMetrics().steps).toBe(2 * texts.length)
    })
  })
})
