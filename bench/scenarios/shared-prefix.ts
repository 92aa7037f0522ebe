import type { Model } from '../../lib/model/index.js'
import { withModel } from '../opened.js'
import { startLlamaServer, type LlamaServer } from '../peers/llama-server.js'
import { isBuilt } from '../peers/tool.js'
import { promptOf } from '../prompt.js'
import type { Bench, Findings, Row, Scenario } from '../scenario.js'
import { timeStream } from '../stream.js'

const requests = 16
const prefixTokens = 2000
const tailTokens = 16
const generatedTokens = 16
const serverSlots = 4
const modelOptions = { contextSize: 4096, parallel: requests, flashAttention: 'on' } as const

export const sharedPrefix: Scenario = {
  name: 'shared-prefix',
  title: `${requests} requests at once over one system prompt of ${prefixTokens} tokens`,
  run: (bench) =>
    withModel(bench.modelPath, modelOptions, async (model) => {
      const servers = await startServers(bench)
      try {
        return await measure(bench, model, servers)
      } finally {
        await Promise.all(servers.map((server) => server.close()))
      }
    }),
}

/** Both layouts: sequences of their own are quicker side by side, one cache for all shares more. */
async function startServers({ modelPath, say }: Bench): Promise<LlamaServer[]> {
  if (!isBuilt('llama-server')) {
    say("llama-server is not built ('npm run build:peers'): skipped")
    return []
  }
  const cells = serverSlots * 2304
  return [
    await startLlamaServer({ modelPath, slots: serverSlots, cells, unified: true }),
    await startLlamaServer({ modelPath, slots: serverSlots, cells, unified: false }),
  ]
}

async function measure({ rounds, say }: Bench, model: Model, servers: readonly LlamaServer[]): Promise<Findings> {
  await timeStream(model, await promptOf(model, 64, 1), { maxTokens: 16 })
  const readings = {
    shared: [] as number[],
    computed: [] as number[],
    uncached: [] as number[],
    server: [] as number[],
  }
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`)
    const sides = [
      async () => {
        const before = model.metrics().promptTokens
        readings.shared.push(await meanFirstMs(model, await promptsOf(model, 4 * round), () => 'shared'))
        readings.computed.push(model.metrics().promptTokens - before)
      },
      async () => {
        const prompts = await promptsOf(model, 4 * round + 1)
        readings.uncached.push(await meanFirstMs(model, prompts, (index) => `${round}-${index}`))
      },
      async () => {
        const means: number[] = []
        for (const [index, server] of servers.entries()) {
          const prompts = await promptsOf(model, 4 * round + 2 + index)
          const maxTokens = generatedTokens
          const timings = await Promise.all(prompts.map((prompt) => server.stream({ prompt, maxTokens })))
          means.push(mean(timings.map(({ firstMs }) => firstMs)))
        }
        if (means.length > 0) readings.server.push(Math.min(...means))
      },
    ]
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) await side()
  }
  const due = readings.computed.map(() => prefixTokens + requests * tailTokens)
  const first = { name: 'mean time to first token', unit: 'ms', ours: readings.shared }
  const rows: Row[] = [
    {
      name: 'prompt tokens computed',
      unit: 'tokens',
      ours: readings.computed,
      beside: { name: `one prompt and ${requests} tails`, readings: due },
      target: { of: 'ratio', atMost: 1 },
    },
    {
      ...first,
      beside: { name: 'uncached', readings: readings.uncached },
      target: { of: 'ratio', atMost: 1 / 8 },
    },
  ]
  if (servers.length > 0) {
    rows.push({
      ...first,
      beside: { name: `llama-server, ${serverSlots} slots`, readings: readings.server },
      target: { of: 'ratio', atMost: 1 / 3 },
    })
  }
  return {
    rows,
    notes: [
      `each request: ${prefixTokens} shared tokens, ${tailTokens} of its own, ${generatedTokens} generated; all arrive at once and the prefix is new in every round`,
      'uncached: the same engine with a cache key for each request',
      ...(servers.length === 0
        ? ["llama-server is not built ('npm run build:peers'): skipped"]
        : ['of the two the quicker one counts: ', ...servers.map(({ description }) => description)]),
    ],
  }
}

/** Another salt gives another prefix, so that nothing of an earlier round serves. */
async function promptsOf(model: Model, salt: number): Promise<Int32Array[]> {
  const prefix = await promptOf(model, prefixTokens, 1000 + salt)
  // From the middle of other stories: their beginnings are alike.
  const tails = Array.from({ length: requests }, (_, index) =>
    promptOf(model, 3 * tailTokens, 100_000 + 100 * salt + index),
  )
  return (await Promise.all(tails)).map((tail) => Int32Array.from([...prefix, ...tail.slice(-tailTokens)]))
}

async function meanFirstMs(model: Model, prompts: readonly Int32Array[], key: (index: number) => string) {
  const timings = await Promise.all(
    prompts.map((prompt, index) =>
      timeStream(model, prompt, { maxTokens: generatedTokens, cache: { key: key(index) } }),
    ),
  )
  return mean(timings.map(({ startedAt, firstAt }) => firstAt - startedAt))
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
