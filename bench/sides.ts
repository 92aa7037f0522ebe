import type { Model } from '../lib/model/index.js'
import { rate } from './measure.js'
import { llamaBatchedBench, llamaCppSettings } from './peers/llama-cpp.js'
import { startLlamaServer } from './peers/llama-server.js'
import { startNodeLlamaCpp, type NodeLlamaCpp } from './peers/node-llama-cpp.js'
import { startOpenVino } from './peers/openvino.js'
import { isBuilt } from './peers/tool.js'
import { promptOf } from './prompt.js'
import { threads, type Bench } from './scenario.js'
import { timeStream } from './stream.js'

/** Streams that begin at once, each with as many tokens. */
export interface StreamShape {
  readonly prompt: number
  readonly generate: number
}

/** A peer that answers prompts, all of them at once. */
export interface Side {
  readonly name: string
  readonly note: string
  /** Tokens generated per second, of the time that the scenario says. */
  run(prompts: readonly Int32Array[]): Promise<number>
  close(): Promise<void>
}

/** A peer that may be missing on this machine. */
export interface SideStart {
  readonly name: string
  readonly start: () => Promise<Side>
}

/** Starts the peers that can be had, of the others says why not, and ends them behind `use`. */
export async function withSides<Result>(
  starts: readonly SideStart[],
  say: Bench['say'],
  use: (sides: readonly Side[], skipped: readonly string[]) => Promise<Result>,
): Promise<Result> {
  const sides: Side[] = []
  const skipped: string[] = []
  for (const { name, start } of starts) {
    try {
      sides.push(await start())
    } catch (error) {
      const reason = error instanceof Error ? error.message.split('\n')[0]! : String(error)
      skipped.push(`${name} was skipped: ${reason}`)
      say(skipped.at(-1)!)
    }
  }
  try {
    return await use(sides, skipped)
  } finally {
    await Promise.all(sides.map((side) => side.close()))
  }
}

/** Prompts of equal length that have no beginning in common. */
export function promptsOf(model: Model, count: number, tokens: number, salt: number): Promise<Int32Array[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => promptOf(model, tokens, salt + 7919 * index)))
}

/**
 * What a side's `run` gives, of llamero. Each stream has one token more, which its prompt's own decode gives and which
 * is not counted.
 */
export async function ourRate(model: Model, prompts: readonly Int32Array[], generate: number): Promise<number> {
  const started = performance.now()
  await Promise.all(prompts.map((prompt) => timeStream(model, prompt, { maxTokens: generate + 1 })))
  return rate(prompts.length * generate, performance.now() - started)
}

const cellsOfStream = 512

export const ourNote =
  "each stream of llamero's has one token more, which its prompt's own decode gives and which is not counted"

export function batchedBench(modelPath: string, { prompt, generate }: StreamShape): SideStart {
  return {
    name: 'llama-batched-bench',
    start: async () => ({
      name: builtTool('llama-batched-bench'),
      note: `${llamaCppSettings}, -kvu (one unified KV cache, as llamero's)`,
      async run({ length: streams }) {
        return (await llamaBatchedBench({ modelPath, prompt, generate, streams, unified: true })).overall
      },
      close: async () => undefined,
    }),
  }
}

export function llamaServer(modelPath: string, { generate }: StreamShape): SideStart {
  const run: Side['run'] = async (prompts) => {
    const slots = prompts.length
    const running = await startLlamaServer({ modelPath, slots, cells: cellsOfStream * slots, unified: false })
    try {
      await Promise.all(prompts.map((prompt) => running.stream({ prompt: prompt.subarray(0, 8), maxTokens: 4 })))
      const started = performance.now()
      await Promise.all(prompts.map((prompt) => running.stream({ prompt, maxTokens: generate + 1 })))
      return rate(slots * generate, performance.now() - started)
    } finally {
      await running.close()
    }
  }
  return {
    name: 'llama-server',
    start: async () => ({
      name: builtTool('llama-server'),
      note: 'as many slots as streams, each with a cache of its own, which is its quicker layout; streamed over HTTP',
      run,
      close: async () => undefined,
    }),
  }
}

export function nodeLlamaCpp(modelPath: string, shape: StreamShape, most: number): SideStart {
  return library('node-llama-cpp', shape, () =>
    startNodeLlamaCpp(modelPath, threads, { sequences: most, contextSize: cellsOfStream }),
  )
}

export function openVino(modelPath: string, shape: StreamShape): SideStart {
  return library('OpenVINO GenAI', shape, () => startOpenVino(modelPath, threads))
}

function library(
  name: string,
  { generate }: StreamShape,
  open: () => Promise<Pick<NodeLlamaCpp, 'description' | 'streams' | 'close'>>,
): SideStart {
  return {
    name,
    async start() {
      const peer = await open()
      return {
        name,
        note: peer.description,
        run: (prompts) => peer.streams({ prompts: prompts.map((prompt) => [...prompt]), generate }),
        close: () => peer.close(),
      }
    },
  }
}

/** The name of a tool of llama.cpp that is built. */
export function builtTool(name: string): string {
  if (!isBuilt(name)) throw new Error("it is not built ('npm run build:peers')")
  return name
}
