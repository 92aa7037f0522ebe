import type { Model } from '../../lib/model/index.js'
import { median, percentile, rate } from '../measure.js'
import { inNormalSteps, withoutPrompt } from '../normal-steps.js'
import { withModel } from '../opened.js'
import { promptOf } from '../prompt.js'
import { randomLlamaPath, type shapes } from '../random-llama.js'
import type { Bench, Findings, Scenario } from '../scenario.js'
import { stolenMs } from '../stolen.js'
import { timeStream, type StreamTiming } from '../stream.js'

const promptTokens = 6000
const streamTokens = 128
const quietTokens = 64
// Behind the prompt, to tell what the machine itself does to gaps.
const laterTokens = 512
// The stream must outlast the prompt, whatever the prompt's share of the time.
const mostTokens = 8000
const modelOptions = { contextSize: 16_384, parallel: 4, flashAttention: 'on' } as const

const title = `a running stream while a prompt of ${promptTokens} tokens is computed`

/** On the model that is asked for, and where a step is long beside the moments for which a host takes a core away. */
export const fairness: readonly Scenario[] = [
  { name: 'fairness', title, run: (bench) => measure(bench, bench.modelPath) },
  inShapeOf('fairness-1b', 'Llama 3.2 1B'),
  inShapeOf('fairness-3b', 'Llama 3.2 3B'),
]

function inShapeOf(name: string, shape: keyof typeof shapes): Scenario {
  return {
    name,
    title: `${title}, by a model in the shape of ${shape}`,
    async run(bench) {
      const { rows, notes } = await measure(bench, await randomLlamaPath(shape, bench.modelPath))
      const model = `the model is not the one above: random weights in the shape of ${shape}, Q4_1 with an embedding in Q8_0, the vocabulary of the one above`
      return { rows, notes: [model, ...notes] }
    },
  }
}

function measure(bench: Bench, modelPath: string): Promise<Findings> {
  return withModel(modelPath, modelOptions, (model) => findings(bench, model))
}

async function findings({ rounds, say }: Bench, model: Model): Promise<Findings> {
  const normal: number[] = []
  const longest: number[] = []
  const usual: number[] = []
  const usualInSteps: number[] = []
  const mostInSteps: number[] = []
  const longestInSteps: number[] = []
  const longestUndisturbed: number[] = []
  const disturbed: number[] = []
  const later: number[] = []
  const longestLater: number[] = []
  const alone: number[] = []
  const beside: number[] = []
  await timeStream(model, await promptOf(model, streamTokens, 1), { maxTokens: quietTokens })
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`)
    const long = await promptOf(model, promptTokens, 3 * round + 2)
    alone.push(prefillRate(await prefill(model, long, `alone ${round}`)))
    const stream = await openStream(model, await promptOf(model, streamTokens, 3 * round + 3))
    await stream.tokens(quietTokens)
    const before = gapsOf(stream.arrivals().slice(8))
    const startedAt = performance.now()
    const prompt = await prefill(model, long, `beside ${round}`)
    const endedAt = performance.now()
    beside.push(prefillRate(prompt))
    await stream.tokens(stream.arrivals().length + laterTokens)
    await stream.end()
    const arrivals = stream.arrivals()
    const all = gapsOf(arrivals)
    const own = withoutPrompt(
      arrivals.map(({ at }) => at),
      prompt.progress.map(({ at }) => at),
    )
    const steps = inNormalSteps(lengths(all), own)
    const isBeside = ({ at }: Gap): boolean => at >= startedAt && at <= endedAt
    const gaps = all.filter(isBeside)
    const inSteps = steps.filter((_, index) => isBeside(all[index]!))
    const whole = inSteps.filter((_, index) => gaps[index]!.stolenMs === 0)
    const behind = all.filter(({ at }) => at > endedAt).slice(8)
    normal.push(median(lengths(before)))
    longest.push(Math.max(...lengths(gaps)))
    usual.push(median(lengths(gaps)))
    later.push(median(lengths(behind)))
    longestLater.push(Math.max(...lengths(behind)))
    usualInSteps.push(median(inSteps))
    mostInSteps.push(percentile(99, inSteps))
    longestInSteps.push(Math.max(...inSteps))
    longestUndisturbed.push(Math.max(...whole))
    disturbed.push(inSteps.length - whole.length)
  }
  const quiet = { name: 'its step before the prompt', readings: normal }
  const unit = 'normal steps at the time'
  return {
    rows: [
      {
        name: 'longest gap of the stream',
        unit: 'ms',
        ours: longest,
        beside: quiet,
        target: { of: 'ratio', atMost: 3 },
      },
      { name: 'median gap of the stream', unit: 'ms', ours: usual, beside: quiet },
      { name: 'median of its gaps', unit, ours: usualInSteps },
      { name: '99th percentile of its gaps', unit, ours: mostInSteps },
      { name: 'longest of its gaps', unit, ours: longestInSteps, target: { of: 'value', atMost: 3 } },
      {
        name: 'longest of those in which the host took no core away',
        unit,
        ours: longestUndisturbed,
        target: { of: 'value', atMost: 3 },
      },
      { name: 'median gap behind the prompt', unit: 'ms', ours: later, beside: quiet },
      { name: 'longest gap behind the prompt', unit: 'ms', ours: longestLater, beside: quiet },
      {
        name: `prefill of ${promptTokens} beside the stream`,
        unit: 'tokens/s',
        ours: beside,
        beside: { name: 'alone', readings: alone },
      },
    ],
    notes: [
      `the stream: a prompt of ${streamTokens} tokens; its step before the prompt is the median gap of ${quietTokens - 8} tokens`,
      'its normal step at the time: the median of the five steps nearest to the gap that had nothing of the prompt before them, as one in 32 has',
      `behind the prompt: ${laterTokens} tokens of the stream alone, which has grown by as many as it had steps beside the prompt; what its longest gap is there, the machine makes`,
      `gaps in which the host took a core away: ${disturbed.join(', ')} by round, of some thousands; what is told during the next gap counts too`,
      'gaps are between the times at which its tokens reach JavaScript; the long prompt asks for progress, which delivers every step at once; before it several tokens may come together, and share the time since the last delivery',
    ],
  }
}

function prefill(model: Model, prompt: Int32Array, key: string): Promise<StreamTiming> {
  return timeStream(model, prompt, { maxTokens: 1, progress: true, cache: { key } })
}

function prefillRate({ startedAt, firstAt }: StreamTiming): number {
  return rate(promptTokens, firstAt - startedAt)
}

interface Arrival {
  readonly at: number
  /** By then, as of `stolenMs`. */
  readonly stolen: number
}

interface Gap {
  /** When it ended. */
  readonly at: number
  readonly ms: number
  /** What the host took of the cores within it or the next one: the system may tell it late. */
  readonly stolenMs: number
}

interface OpenStream {
  /** Waits until so many tokens have come. */
  tokens(count: number): Promise<void>
  /** When its tokens came. */
  arrivals(): readonly Arrival[]
  end(): Promise<void>
}

async function openStream(model: Model, prompt: Int32Array): Promise<OpenStream> {
  const options = { temperature: 0, ignoreEos: true, maxTokens: mostTokens, cache: { key: 'stream' } }
  const generation = model.generate(prompt, options)
  const arrivals: Arrival[] = []
  let wake: () => void = () => undefined
  let last = performance.now()
  const reading = (async () => {
    for await (const part of generation) {
      if (part.type !== 'text') continue
      const now = performance.now()
      const stolen = stolenMs()
      const count = part.tokens.length
      for (let i = 1; i <= count; i++) arrivals.push({ at: last + ((now - last) * i) / count, stolen })
      last = now
      wake()
    }
  })()
  return {
    async tokens(count) {
      while (arrivals.length < count) await new Promise<void>((resolve) => (wake = resolve))
    },
    arrivals: () => arrivals,
    async end() {
      generation.abort()
      await reading
    },
  }
}

function gapsOf(arrivals: readonly Arrival[]): Gap[] {
  const last = arrivals.length - 1
  return arrivals.slice(1).map(({ at }, index) => ({
    at,
    ms: at - arrivals[index]!.at,
    stolenMs: arrivals[Math.min(index + 2, last)]!.stolen - arrivals[index]!.stolen,
  }))
}

function lengths(gaps: readonly Gap[]): number[] {
  return gaps.map(({ ms }) => ms)
}
