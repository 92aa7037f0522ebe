import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Model } from '../../lib/model/index.js'
import { miniLmSize, writeRandomModel } from '../../test/support/random-model.js'
import { inTurns, median, rate } from '../measure.js'
import { withModel } from '../opened.js'
import type { Bench, Findings, Scenario } from '../scenario.js'

const count = 256
const wordsOfText = 3
const words = ['hello', 'world', 'the', 'sky', 'is', 'blue']

export const embeddings: Scenario = {
  name: 'embeddings',
  title: `${count} short texts in one call beside one by one`,
  async run(bench) {
    const directory = await mkdtemp(join(tmpdir(), 'llamero-bench-'))
    try {
      const options = { layers: 6, size: miniLmSize }
      const path = await writeRandomModel(join(directory, 'minilm.gguf'), 'bert', options)
      return await withModel(path, {}, (model) => measure(bench, model))
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  },
}

async function measure({ rounds, say }: Bench, model: Model): Promise<Findings> {
  const together: number[] = []
  const alone: number[] = []
  const overlapping: number[] = []
  let stepsTogether = 0
  const { usage } = await model.embed(texts(0))
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`)
    const inputs = texts(round + 1)
    await inTurns(
      round,
      async () => {
        const before = model.embeddingMetrics().steps
        together.push(await timed(() => model.embed(inputs)))
        stepsTogether = model.embeddingMetrics().steps - before
      },
      async () => {
        alone.push(
          await timed(async () => {
            for (const input of inputs) await model.embed(input)
          }),
        )
        overlapping.push(await timed(() => Promise.all(inputs.map((input) => model.embed(input)))))
      },
    )
  }
  const perSecond = (times: readonly number[]): number[] => times.map((ms) => rate(usage.inputTokens, ms))
  const beside = { name: 'one by one', readings: perSecond(alone) }
  return {
    rows: [
      {
        name: `${count} short texts in one call`,
        unit: 'tokens/s',
        ours: perSecond(together),
        beside,
        target: { of: 'ratio', atLeast: 3 },
      },
      { name: `${count} calls at once`, unit: 'tokens/s', ours: perSecond(overlapping), beside },
    ],
    notes: [
      `random weights in the shape of all-MiniLM-L6-v2 (6 layers, ${miniLmSize.width} wide, F32), ${usage.inputTokens} tokens`,
      `${stepsTogether} decodes for the one call; ${(median(alone) / count).toFixed(2)} ms for each text alone`,
    ],
  }
}

/** Other texts in every round. */
function texts(round: number): string[] {
  return Array.from({ length: count }, (_, text) =>
    Array.from({ length: wordsOfText }, (_, word) => words[(round + text * (word + 1)) % words.length]).join(' '),
  )
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}
