import type { Model } from '../../lib/model/index.js'
import { withModel } from '../opened.js'
import type { Bench, Findings, Scenario } from '../scenario.js'
import { batchedBench, llamaServer, nodeLlamaCpp, withSides, ourNote, ourRate, promptsOf, type Side } from '../sides.js'
import { timeStream } from '../stream.js'
import { sweep } from '../sweep.js'

const counts = [1, 4, 8, 16, 32]
const most = 32
const shape = { prompt: 128, generate: 128 }
const modelOptions = { contextSize: 512, parallel: most, flashAttention: 'on' } as const

/** Least ratio of our rate to a peer's. */
const targets: Readonly<Record<string, (count: number) => number | undefined>> = {
  'llama-batched-bench': () => 0.95,
  'llama-server': (count) => (count === 8 ? 1.2 : undefined),
  'node-llama-cpp': (count) => (count === 8 ? 2.5 : undefined),
}

export const streams: Scenario = {
  name: 'streams',
  title: `${counts.join(', ')} streams of ${shape.prompt} + ${shape.generate} tokens, generated over all time`,
  run: (bench) =>
    withModel(bench.modelPath, modelOptions, (model) => {
      const { modelPath, say } = bench
      const starts = [
        batchedBench(modelPath, shape),
        llamaServer(modelPath, shape),
        nodeLlamaCpp(modelPath, shape, most),
      ]
      return withSides(starts, say, (sides, skipped) => measure(bench, model, sides, skipped))
    }),
}

async function measure(
  bench: Bench,
  model: Model,
  sides: readonly Side[],
  skipped: readonly string[],
): Promise<Findings> {
  await Promise.all(
    (await promptsOf(model, most, shape.prompt, 1)).map((prompt) => timeStream(model, prompt, { maxTokens: 8 })),
  )
  const swept = await sweep(
    bench,
    {
      over: counts,
      rowName: (count) => `${count} streams`,
      axes: {
        title: `Streams of ${shape.prompt} + ${shape.generate} tokens`,
        x: 'number of streams',
        y: 'tokens generated per second of the whole time',
      },
      prompts: (count, salt) => promptsOf(model, count, shape.prompt, salt),
      ours: (prompts) => ourRate(model, prompts, shape.generate),
      least: (side, count) => targets[side]?.(count),
    },
    sides,
  )
  return { ...swept, notes: [...sides.map(({ name, note }) => `${name}: ${note}`), ...skipped, ourNote] }
}
