import type { Model } from '../../lib/model/index.js'
import { onBestModule } from '../computing.js'
import { quicker, rate, spread } from '../measure.js'
import { withModel } from '../opened.js'
import { llamaBatchedBench, llamaCppSettings, type BatchedBenchReading } from '../peers/llama-cpp.js'
import type { Bench, Findings, Row, Scenario } from '../scenario.js'
import { ourNote, ourRate, promptsOf, type StreamShape } from '../sides.js'
import { timeStream } from '../stream.js'

interface Shape extends StreamShape {
  readonly streams: number
  /** Least ratio of our rates to those of the quicker layout, on the best module. */
  readonly least: number
  /** Least ratio of our prefill to that of separate caches. */
  readonly leastPrefill?: number
}

const shapes: readonly Shape[] = [
  { streams: 8, prompt: 128, generate: 128, least: 1.25 },
  { streams: 8, prompt: 1024, generate: 32, least: 1.5, leastPrefill: 0.97 },
  { streams: 32, prompt: 128, generate: 128, least: 1.2 },
]
const figures = ['prefill', 'decode', 'overall'] as const
const sides = ['llamero', 'separate', 'unified'] as const

type Readings = Readonly<Record<(typeof sides)[number], BatchedBenchReading[]>>

/** One scenario for each shape, since each takes minutes. */
export const layouts: readonly Scenario[] = shapes.map((shape) => ({
  name: `layouts-${shape.streams}x${shape.prompt}`,
  title: `${shape.streams} × (${shape.prompt} + ${shape.generate}) tokens beside llama-batched-bench with one KV cache and with one for each`,
  run: (bench) =>
    withModel(bench.modelPath, modelOptions(shape), async (model) => {
      const warm = await promptsOf(model, shape.streams, 32, 1)
      await ourRate(model, warm, 8)
      return findings(shape, await measure(bench, shape, model))
    }),
}))

function modelOptions({ streams, prompt, generate }: Shape) {
  return { contextSize: prompt + generate + 16, parallel: streams, flashAttention: 'on' } as const
}

async function measure({ modelPath, rounds, say }: Bench, shape: Shape, model: Model): Promise<Readings> {
  const readings: Readings = { llamero: [], separate: [], unified: [] }
  const take = {
    llamero: (salt: number) => ourReading(modelPath, shape, model, salt),
    separate: () => llamaBatchedBench({ modelPath, ...shape, unified: false }),
    unified: () => llamaBatchedBench({ modelPath, ...shape, unified: true }),
  }
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`)
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      readings[side].push(await take[side](1000 * round + 2))
    }
  }
  return readings
}

/** Everything at once, as in a program; then the phases one after the other, as the peer has them. */
async function ourReading(path: string, shape: Shape, model: Model, salt: number): Promise<BatchedBenchReading> {
  const prompts = await promptsOf(model, shape.streams, shape.prompt, salt)
  const overall = await ourRate(model, prompts, shape.generate)
  return { ...(await inPhases(path, shape, salt + 500)), overall }
}

/** In an engine of its own, as new as the peer's, that keeps what the prompts have computed until all are there. */
function inPhases(path: string, shape: Shape, salt: number): Promise<{ prefill: number; decode: number }> {
  const { streams, prompt, generate } = shape
  const options = { ...modelOptions(shape), cacheTokens: streams * (prompt + 1) }
  return withModel(path, options, async (model) => {
    const [warm] = await promptsOf(model, 1, 16, salt - 1)
    await timeStream(model, warm!, { maxTokens: 1 })
    const prompts = await promptsOf(model, streams, prompt, salt)
    const time = async (maxTokens: number): Promise<number> => {
      const started = performance.now()
      await Promise.all(prompts.map((one) => timeStream(model, one, { maxTokens })))
      return performance.now() - started
    }
    const prefill = rate(streams * prompt, await time(1))
    const before = model.metrics().cachedTokens
    const decode = rate(streams * generate, await time(generate))
    const kept = model.metrics().cachedTokens - before
    if (kept !== streams * (prompt - 1)) throw new Error(`Of the prompts ${kept} tokens were kept.`)
    return { prefill, decode }
  })
}

function findings(shape: Shape, readings: Readings): Findings {
  const { streams, prompt, generate, least, leastPrefill } = shape
  const atLeast = onBestModule() ? least : 1
  const of = (side: keyof Readings, figure: (typeof figures)[number]): number[] =>
    readings[side].map((reading) => reading[figure])
  const besidePeer = (figure: (typeof figures)[number]): NonNullable<Row['beside']> => ({
    name: 'quicker layout',
    readings: quicker(of('separate', figure), of('unified', figure)),
  })
  const rows: readonly Row[] = [
    {
      name: `decode of ${streams} × ${generate} at depth ${prompt}`,
      unit: 'tokens/s',
      ours: of('llamero', 'decode'),
      beside: besidePeer('decode'),
      target: { of: 'ratio', atLeast },
    },
    {
      name: 'generated over all time',
      unit: 'tokens/s',
      ours: of('llamero', 'overall'),
      beside: besidePeer('overall'),
      target: { of: 'ratio', atLeast },
    },
    {
      name: `prefill of ${streams} × ${prompt}`,
      unit: 'tokens/s',
      ours: of('llamero', 'prefill'),
      beside: { name: 'separate caches', readings: of('separate', 'prefill') },
      ...(leastPrefill === undefined ? {} : { target: { of: 'ratio', atLeast: leastPrefill } }),
    },
  ]
  const medians = (side: keyof Readings): string =>
    figures.map((figure) => `${figure} ${spread(of(side, figure)).median.toFixed(1)}`).join(', ')
  return {
    rows,
    notes: [
      `llama-batched-bench ${llamaCppSettings}; the quicker layout is chosen in each round and for each figure`,
      `separate (one cache for each stream): ${medians('separate')}; unified (-kvu, as llamero's): ${medians('unified')}`,
      'prefill and decode: the prompts alone, then the same prompts again, of which only the last token is computed, so that all streams generate from the first step on as they do in the peer',
      `over all time: prompts and answers at once, in the engine's own order; ${ourNote}`,
    ],
  }
}
