import type { Model } from '../../lib/model/index.js'
import { onBestModule } from '../computing.js'
import { inTurns, rate } from '../measure.js'
import { withBatchSize, withModel } from '../opened.js'
import { llamaBench, llamaCppSettings } from '../peers/llama-cpp.js'
import { promptOf } from '../prompt.js'
import type { Bench, Findings, Row, Scenario } from '../scenario.js'
import { decodeRate, timeStream } from '../stream.js'

/** What is measured by one run of llama-bench; 0 tokens are not. */
interface Case {
  readonly depth: number
  readonly prefill: number
  readonly decode: number
}

const cases: readonly Case[] = [
  { depth: 0, prefill: 512, decode: 128 },
  { depth: 512, prefill: 512, decode: 128 },
  { depth: 2048, prefill: 512, decode: 128 },
  { depth: 4096, prefill: 0, decode: 128 },
  { depth: 0, prefill: 2048, decode: 0 },
]
/** Least ratios that are not {@link usual}, on the best module and on any other. */
const onBest: Readonly<Record<string, number>> = {
  'prefill of 512 at depth 0': 1,
  'prefill of 2048 at depth 0': 1.25,
  'prefill of 512 at depth 2048': 1.4,
  'decode of 128 at depth 0': 0.99,
  'decode of 128 at depth 512': 1.3,
  'decode of 128 at depth 2048': 1.6,
  'decode of 128 at depth 4096': 1.8,
}
const onOthers: Readonly<Record<string, number>> = {
  'decode of 128 at depth 0': 0.99,
  'decode of 128 at depth 2048': 1.25,
}
const usual = 0.95
const stepTokens = 512
const options = { contextSize: 4352, flashAttention: 'on' } as const

interface Readings {
  readonly prefill: number[]
  readonly decode: number[]
}

export const speed: Scenario = {
  name: 'speed',
  title: 'prefill and decode beside llama-bench',
  run: (bench) =>
    withModel(bench.modelPath, options, (model) =>
      withModel(
        bench.modelPath,
        { ...options, parallel: 1 },
        (inSteps) => measure(bench, model, inSteps),
        withBatchSize(stepTokens),
      ),
    ),
}

async function measure(bench: Bench, model: Model, inSteps: Model): Promise<Findings> {
  const { modelPath, rounds, say } = bench
  const ours = cases.map((): Readings => ({ prefill: [], decode: [] }))
  const peer = cases.map((): Readings => ({ prefill: [], decode: [] }))
  // llama-bench warms up with the very batch that it measures.
  for (const one of [model, inSteps]) await timeStream(one, await promptOf(one, stepTokens, 1), { maxTokens: 16 })
  const before = model.metrics()
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`)
    for (const [index, { depth, prefill, decode }] of cases.entries()) {
      // Case by case, so that the two readings of a pair are seconds apart.
      await inTurns(
        round,
        async () => {
          const salt = 10 * round + index + 2
          const one = depth === stepTokens ? inSteps : model
          if (prefill > 0) ours[index]!.prefill.push(await prefillRate(one, depth, prefill, salt))
          if (decode > 0) ours[index]!.decode.push(await decodeRateAt(model, depth, decode, salt))
        },
        async () => {
          const reading = await llamaBench({ modelPath, prompt: prefill, generate: decode, depth })
          if (prefill > 0) peer[index]!.prefill.push(reading.prefill)
          if (decode > 0) peer[index]!.decode.push(reading.decode)
        },
      )
    }
  }
  const after = model.metrics()
  const between = (after.betweenDecodesMs - before.betweenDecodesMs) / (after.steps - before.steps)
  const targets = onBestModule() ? onBest : onOthers
  const rows = (['prefill', 'decode'] as const).flatMap((kind) =>
    cases.flatMap((one, index): Row[] => {
      const name = `${kind} of ${one[kind]} at depth ${one.depth}`
      const beside = { name: 'llama-bench', readings: peer[index]![kind] }
      const target = { of: 'ratio', atLeast: targets[name] ?? usual } as const
      return one[kind] === 0 ? [] : [{ name, unit: 'tokens/s', ours: ours[index]![kind], beside, target }]
    }),
  )
  return {
    rows,
    notes: [
      `llama-bench ${llamaCppSettings}; llamero: the same, everything else as \`load\` has it`,
      'prefill at depth d: the last tokens of a prompt that is so much longer, from the progress part at d (at depth 0 from the call) to the first token; at depth 512 with decodes of 512 tokens, to have a boundary there',
      'decode at depth d: what follows the first token that a prompt of d tokens gives, up to the last part',
      `threads in the last step: ${after.threads}; between two decodes ${between.toFixed(3)} ms on average, calls into JavaScript per step ${((after.deliveries - before.deliveries) / (after.steps - before.steps)).toFixed(2)}`,
    ],
  }
}

async function prefillRate(model: Model, depth: number, tokens: number, salt: number): Promise<number> {
  const prompt = await promptOf(model, depth + tokens, salt)
  const { startedAt, progress, endedAt } = await timeStream(model, prompt, { maxTokens: 1, progress: true })
  const from = depth === 0 ? startedAt : progress.find(({ tokens }) => tokens === depth)?.at
  if (from === undefined) throw new Error(`No progress part came at ${depth} tokens.`)
  return rate(tokens, endedAt - from)
}

async function decodeRateAt(model: Model, depth: number, tokens: number, salt: number): Promise<number> {
  const prompt = await promptOf(model, Math.max(depth, 1), salt)
  return decodeRate(await timeStream(model, prompt, { maxTokens: tokens + 1 }))
}
