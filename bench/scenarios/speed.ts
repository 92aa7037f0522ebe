import type { Model } from '../../lib/model/index.js'
import { inTurns, rate } from '../measure.js'
import { withBatchSize, withModel } from '../opened.js'
import { llamaBench, llamaCppSettings } from '../peers/llama-cpp.js'
import { promptOf } from '../prompt.js'
import type { Bench, Findings, Row, Scenario } from '../scenario.js'
import { decodeRate, timeStream } from '../stream.js'

const depths = [0, 512, 2048]
const promptTokens = 512
const generatedTokens = 128
const target = { of: 'ratio', atLeast: 0.95 } as const
const options = { contextSize: 4096, flashAttention: 'on' } as const

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
        withBatchSize(promptTokens),
      ),
    ),
}

async function measure(bench: Bench, model: Model, inSteps: Model): Promise<Findings> {
  const { modelPath, rounds, say } = bench
  const ours = depths.map((): Readings => ({ prefill: [], decode: [] }))
  const peer = depths.map((): Readings => ({ prefill: [], decode: [] }))
  // llama-bench warms up with the very batch that it measures.
  for (const one of [model, inSteps]) await timeStream(one, await promptOf(one, promptTokens, 1), { maxTokens: 16 })
  const before = model.metrics()
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`)
    for (const [index, depth] of depths.entries()) {
      // Depth by depth, so that the two readings of a pair are seconds apart.
      await inTurns(
        round,
        async () => {
          const salt = 10 * round + index + 2
          ours[index]!.prefill.push(await prefillRate(depth === 512 ? inSteps : model, depth, salt))
          ours[index]!.decode.push(await decodeRateAt(model, depth, salt))
        },
        async () => {
          const reading = await llamaBench({ modelPath, prompt: promptTokens, generate: generatedTokens, depth })
          peer[index]!.prefill.push(reading.prefill)
          peer[index]!.decode.push(reading.decode)
        },
      )
    }
  }
  const after = model.metrics()
  const between = (after.betweenDecodesMs - before.betweenDecodesMs) / (after.steps - before.steps)
  const rows = (['prefill', 'decode'] as const).flatMap((kind) =>
    depths.map((depth, index): Row => {
      const count = kind === 'prefill' ? promptTokens : generatedTokens
      return {
        name: `${kind} of ${count} at depth ${depth}`,
        unit: 'tokens/s',
        ours: ours[index]![kind],
        beside: { name: 'llama-bench', readings: peer[index]![kind] },
        target,
      }
    }),
  )
  return {
    rows,
    notes: [
      `llama-bench ${llamaCppSettings}; llamero: the same, everything else as \`load\` has it`,
      'prefill at depth d: the last 512 tokens of a prompt of d + 512, from the progress part at d (at depth 0 from the call) to the first token; at depth 512 with decodes of 512 tokens, to have a boundary there',
      'decode at depth d: 128 tokens after the first one that a prompt of d tokens gives, up to the last part',
      `threads in the last step: ${after.threads}; between two decodes ${between.toFixed(3)} ms on average, calls into JavaScript per step ${((after.deliveries - before.deliveries) / (after.steps - before.steps)).toFixed(2)}`,
    ],
  }
}

async function prefillRate(model: Model, depth: number, salt: number): Promise<number> {
  const prompt = await promptOf(model, depth + promptTokens, salt)
  const { startedAt, progressAt, endedAt } = await timeStream(model, prompt, { maxTokens: 1, progress: true })
  const from = depth === 0 ? startedAt : progressAt.get(depth)
  if (from === undefined) throw new Error(`No progress part came at ${depth} tokens.`)
  return rate(promptTokens, endedAt - from)
}

async function decodeRateAt(model: Model, depth: number, salt: number): Promise<number> {
  const prompt = await promptOf(model, Math.max(depth, 1), salt)
  return decodeRate(await timeStream(model, prompt, { maxTokens: generatedTokens + 1 }))
}
