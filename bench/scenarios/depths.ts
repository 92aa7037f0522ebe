import type { Model } from '../../lib/model/index.js'
import { rate } from '../measure.js'
import { withModel } from '../opened.js'
import { llamaBench, llamaCppSettings } from '../peers/llama-cpp.js'
import { startLlamaServer } from '../peers/llama-server.js'
import { startNodeLlamaCpp } from '../peers/node-llama-cpp.js'
import { promptOf } from '../prompt.js'
import { threads, type Bench, type Findings, type Scenario } from '../scenario.js'
import { builtTool, promptsOf, withSides, type Side, type SideStart } from '../sides.js'
import { decodeRate, timeStream } from '../stream.js'
import { sweep } from '../sweep.js'

const over = [16, 512, 1024, 2048, 4096]
const generated = 128
const contextSize = 4352

export const depths: Scenario = {
  name: 'depths',
  title: `decode of ${generated} tokens of one stream behind ${over.join(', ')} tokens`,
  run: (bench) =>
    withModel(bench.modelPath, { contextSize, flashAttention: 'on' }, (model) => {
      const { modelPath, say } = bench
      const starts = [tool(modelPath), server(modelPath), library(modelPath)]
      return withSides(starts, say, (sides, skipped) => measure(bench, model, sides, skipped))
    }),
}

async function measure(
  bench: Bench,
  model: Model,
  sides: readonly Side[],
  skipped: readonly string[],
): Promise<Findings> {
  const warm = [await promptOf(model, 64, 1)]
  await ourDecodeRate(model, warm)
  // A peer that is new reads its weights for the first time.
  for (const side of sides) await side.run(warm)
  const swept = await sweep(
    bench,
    {
      over,
      rowName: (depth) => `decode at depth ${depth}`,
      axes: { title: 'One stream', x: 'tokens before it', y: 'tokens generated per second', scale: 'linear' },
      prompts: (depth, salt) => promptsOf(model, 1, depth, salt),
      ours: (prompts) => ourDecodeRate(model, prompts),
    },
    sides,
  )
  return {
    ...swept,
    notes: [
      ...sides.map(({ name, note }) => `${name}: ${note}`),
      ...skipped,
      `the others: greedy, the same prompt, past the end token, text of every token, timed from the first of ${generated + 1} tokens received to the last`,
    ],
  }
}

async function ourDecodeRate(model: Model, [prompt]: readonly Int32Array[]): Promise<number> {
  return decodeRate(await timeStream(model, prompt!, { maxTokens: generated + 1 }))
}

function tool(modelPath: string): SideStart {
  return {
    name: 'llama-bench',
    start: async () => ({
      name: builtTool('llama-bench'),
      note: `${llamaCppSettings}; it samples nothing and makes no text`,
      run: async ([prompt]) =>
        (await llamaBench({ modelPath, prompt: 0, generate: generated, depth: prompt!.length })).decode,
      close: async () => undefined,
    }),
  }
}

function server(modelPath: string): SideStart {
  return {
    name: 'llama-server',
    async start() {
      const name = builtTool('llama-server')
      const peer = await startLlamaServer({ modelPath, slots: 1, cells: contextSize, unified: false })
      return {
        name,
        note: `${llamaCppSettings}, one slot of ${contextSize} cells; streamed over HTTP, timed at the client`,
        async run([prompt]) {
          const { firstMs, endedMs, tokens } = await peer.stream({ prompt: prompt!, maxTokens: generated + 1 })
          return rate(tokens - 1, endedMs - firstMs)
        },
        close: () => peer.close(),
      }
    },
  }
}

function library(modelPath: string): SideStart {
  return {
    name: 'node-llama-cpp',
    async start() {
      const peer = await startNodeLlamaCpp(modelPath, threads, { sequences: 1, contextSize })
      return {
        name: 'node-llama-cpp',
        note: peer.description,
        run: ([prompt]) => peer.decode({ prompt: [...prompt!], generate: generated }),
        close: () => peer.close(),
      }
    },
  }
}
