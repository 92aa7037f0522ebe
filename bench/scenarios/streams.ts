import type { Model } from '../../lib/model/index.js'
import { median } from '../measure.js'
import { withModel } from '../opened.js'
import type { Bench, Findings, Row, Scenario } from '../scenario.js'
import { batchedBench, llamaServer, nodeLlamaCpp, withSides, ourNote, ourRate, promptsOf, type Side } from '../sides.js'
import { timeStream } from '../stream.js'

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
  const ours = counts.map((): number[] => [])
  const theirs = sides.map(() => counts.map((): number[] => []))
  await Promise.all(
    (await promptsOf(model, most, shape.prompt, 1)).map((prompt) => timeStream(model, prompt, { maxTokens: 8 })),
  )
  for (let round = 0; round < bench.rounds; round++) {
    for (const [index, count] of counts.entries()) {
      bench.say(`round ${round + 1} of ${bench.rounds}, ${count} streams`)
      const salt = 1000 * round + 100 * index + 2
      const runs = [
        async () => {
          const prompts = await promptsOf(model, count, shape.prompt, salt)
          ours[index]!.push(await ourRate(model, prompts, shape.generate))
        },
        ...sides.map((side, at) => async () => {
          const prompts = await promptsOf(model, count, shape.prompt, salt + 38)
          theirs[at]![index]!.push(await side.run(prompts))
        }),
      ]
      for (const run of round % 2 === 0 ? runs : runs.toReversed()) await run()
    }
  }
  const rows = sides.flatMap((side, at) =>
    counts.map((count, index): Row => {
      const atLeast = targets[side.name]?.(count)
      return {
        name: `${count} streams`,
        unit: 'tokens/s',
        ours: ours[index]!,
        beside: { name: side.name, readings: theirs[at]![index]! },
        ...(atLeast === undefined ? {} : { target: { of: 'ratio', atLeast } }),
      }
    }),
  )
  const alone = counts.map((count, index): Row => ({ name: `${count} streams`, unit: 'tokens/s', ours: ours[index]! }))
  const series = [
    { name: 'llamero', readings: ours },
    ...sides.map(({ name }, at) => ({ name, readings: theirs[at]! })),
  ]
  return {
    rows: rows.length > 0 ? rows : alone,
    curves: {
      title: `Streams of ${shape.prompt} + ${shape.generate} tokens`,
      x: 'number of streams',
      y: 'tokens generated per second of the whole time',
      series: series.map(({ name, readings }) => ({
        name,
        points: counts.map((count, index) => [count, median(readings[index]!)] as const),
      })),
    },
    notes: [...sides.map(({ name, note }) => `${name}: ${note}`), ...skipped, ourNote],
  }
}
