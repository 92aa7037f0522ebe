import type { Model } from '../../lib/model/index.js'
import { withModel } from '../opened.js'
import type { Bench, Findings, Scenario } from '../scenario.js'
import { llamaServer, nodeLlamaCpp, openVino, ourNote, ourRate, promptsOf, withSides, type Side } from '../sides.js'

const count = 8
const shape = { prompt: 100, generate: 64 }
const modelOptions = { contextSize: 256, parallel: count, flashAttention: 'on' } as const

/** Least ratio of our rate to a peer's. */
const targets: Readonly<Record<string, number>> = {
  'llama-server': 1.4,
  'node-llama-cpp': 3.5,
  'OpenVINO GenAI': 1.3,
}

export const peers: Scenario = {
  name: 'peers',
  title: `${count} streams of ${shape.prompt} + ${shape.generate} tokens beside servers and libraries, generated over all time`,
  run: (bench) =>
    withModel(bench.modelPath, modelOptions, (model) => {
      const { modelPath, say } = bench
      const starts = [llamaServer(modelPath, shape), nodeLlamaCpp(modelPath, shape, count), openVino(modelPath, shape)]
      return withSides(starts, say, (sides, skipped) => measure(bench, model, sides, skipped))
    }),
}

async function measure(
  bench: Bench,
  model: Model,
  sides: readonly Side[],
  skipped: readonly string[],
): Promise<Findings> {
  const { rounds, say } = bench
  const ours: number[] = []
  const theirs = sides.map((): number[] => [])
  const runs = [
    async (prompts: Int32Array[]) => ours.push(await ourRate(model, prompts, shape.generate)),
    ...sides.map((side, at) => async (prompts: Int32Array[]) => theirs[at]!.push(await side.run(prompts))),
  ]
  // The first round warms up: OpenVINO compiles for each shape of a batch that it meets.
  for (let round = 0; round <= rounds; round++) {
    say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`)
    for (const run of round % 2 === 0 ? runs : runs.toReversed()) {
      await run(await promptsOf(model, count, shape.prompt, 1000 * round + 2))
    }
  }
  const kept = (readings: readonly number[]): readonly number[] => readings.slice(1)
  return {
    rows: sides.map(({ name }, at) => ({
      name: `${count} streams`,
      unit: 'tokens/s',
      ours: kept(ours),
      beside: { name, readings: kept(theirs[at]!) },
      target: { of: 'ratio', atLeast: targets[name]! },
    })),
    notes: [...sides.map(({ name, note }) => `${name}: ${note}`), ...skipped, ourNote],
  }
}
