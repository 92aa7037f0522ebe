import type { Model } from '../../lib/model/index.js'
import { median, rate } from '../measure.js'
import { withModel } from '../opened.js'
import { isBuilt, llamaBatchedBench, llamaCppSettings } from '../peers/llama-cpp.js'
import { startLlamaServer } from '../peers/llama-server.js'
import { startNodeLlamaCpp } from '../peers/node-llama-cpp.js'
import { promptOf } from '../prompt.js'
import { threads, type Bench, type Findings, type Row, type Scenario } from '../scenario.js'
import { timeStream } from '../stream.js'

const counts = [1, 4, 8, 16, 32]
const most = 32
const promptTokens = 128
const generatedTokens = 128
const modelOptions = { contextSize: 512, parallel: most, flashAttention: 'on' } as const

/** One side of the comparison: generated tokens per second of the whole time, by number of streams. */
interface Side {
  readonly name: string
  readonly note: string
  /** Least ratio of our rate to this side's, by number of streams. */
  readonly target: (streams: number) => number | undefined
  run(prompts: readonly Int32Array[]): Promise<number>
  close(): Promise<void>
}

export const streams: Scenario = {
  name: 'streams',
  title: `${counts.join(', ')} streams of ${promptTokens} + ${generatedTokens} tokens, generated over all time`,
  run: (bench) =>
    withModel(bench.modelPath, modelOptions, async (model) => {
      const { sides, skipped } = await openSides(bench)
      try {
        return await measure(bench, model, sides, skipped)
      } finally {
        await Promise.all(sides.map((side) => side.close()))
      }
    }),
}

async function measure(bench: Bench, model: Model, sides: readonly Side[], skipped: string[]): Promise<Findings> {
  const ours = counts.map((): number[] => [])
  const theirs = sides.map(() => counts.map((): number[] => []))
  await Promise.all((await promptsOf(model, most, 1)).map((prompt) => timeStream(model, prompt, { maxTokens: 8 })))
  for (let round = 0; round < bench.rounds; round++) {
    for (const [index, count] of counts.entries()) {
      bench.say(`round ${round + 1} of ${bench.rounds}, ${count} streams`)
      const runs = [
        async () =>
          ours[index]!.push(await ourRate(model, await promptsOf(model, count, 1000 * round + 100 * index + 2))),
        ...sides.map((side, at) => async () => {
          const prompts = await promptsOf(model, count, 1000 * round + 100 * index + 40)
          theirs[at]![index]!.push(await side.run(prompts))
        }),
      ]
      for (const run of round % 2 === 0 ? runs : runs.toReversed()) await run()
    }
  }
  const rows = sides.flatMap((side, at) =>
    counts.map((count, index): Row => {
      const atLeast = side.target(count)
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
      title: `Streams of ${promptTokens} + ${generatedTokens} tokens`,
      x: 'number of streams',
      y: 'tokens generated per second of the whole time',
      series: series.map(({ name, readings }) => ({
        name,
        points: counts.map((count, index) => [count, median(readings[index]!)] as const),
      })),
    },
    notes: [
      ...sides.map(({ name, note }) => `${name}: ${note}`),
      ...skipped,
      "each stream of llamero's has one token more, which its prompt's own decode gives and which is not counted",
    ],
  }
}

function promptsOf(model: Model, count: number, salt: number): Promise<Int32Array[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => promptOf(model, promptTokens, salt + 7919 * index)))
}

async function ourRate(model: Model, prompts: readonly Int32Array[]): Promise<number> {
  const started = performance.now()
  await Promise.all(prompts.map((prompt) => timeStream(model, prompt, { maxTokens: generatedTokens + 1 })))
  return rate(prompts.length * generatedTokens, performance.now() - started)
}

async function openSides({ modelPath, say }: Bench): Promise<{ sides: Side[]; skipped: string[] }> {
  const sides: Side[] = []
  const skipped: string[] = []
  const skip = (name: string, reason: string): void => {
    skipped.push(`${name} was skipped: ${reason}`)
    say(skipped.at(-1)!)
  }
  const unbuilt = "it is not built ('npm run build:peers')"
  if (isBuilt('llama-batched-bench')) sides.push(batchedBench(modelPath))
  else skip('llama-batched-bench', unbuilt)
  if (isBuilt('llama-server')) sides.push(server(modelPath))
  else skip('llama-server', unbuilt)
  try {
    sides.push(await nodeLlamaCpp(modelPath))
  } catch (error) {
    skip('node-llama-cpp', error instanceof Error ? error.message.split('\n')[0]! : String(error))
  }
  return { sides, skipped }
}

function batchedBench(modelPath: string): Side {
  return {
    name: 'llama-batched-bench',
    note: `${llamaCppSettings}, -kvu (one unified KV cache, as llamero's)`,
    target: () => 0.95,
    run: (prompts) =>
      llamaBatchedBench({ modelPath, prompt: promptTokens, generate: generatedTokens, streams: prompts.length }),
    close: async () => undefined,
  }
}

function server(modelPath: string): Side {
  return {
    name: 'llama-server',
    note: 'as many slots as streams, each with a cache of its own, which is its quicker layout; streamed over HTTP',
    target: (count) => (count === 8 ? 1.2 : undefined),
    async run(prompts) {
      const slots = prompts.length
      const running = await startLlamaServer({ modelPath, slots, cells: 512 * slots, unified: false })
      try {
        await Promise.all(prompts.map((prompt) => running.stream({ prompt: prompt.subarray(0, 8), maxTokens: 4 })))
        const started = performance.now()
        const maxTokens = generatedTokens + 1
        await Promise.all(prompts.map((prompt) => running.stream({ prompt, maxTokens })))
        return rate(slots * generatedTokens, performance.now() - started)
      } finally {
        await running.close()
      }
    },
    close: async () => undefined,
  }
}

async function nodeLlamaCpp(modelPath: string): Promise<Side> {
  const peer = await startNodeLlamaCpp(modelPath, threads, most)
  return {
    name: 'node-llama-cpp',
    note: peer.description,
    target: (count) => (count === 8 ? 2.5 : undefined),
    run: (prompts) => peer.streams({ prompts: prompts.map((prompt) => [...prompt]), generate: generatedTokens }),
    close: () => peer.close(),
  }
}
