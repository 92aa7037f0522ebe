import { prepareSchema } from '../../lib/chat/index.js'
import type { Model, Result } from '../../lib/model/index.js'
import { nativeAddon } from '../../lib/native.js'
import { inTurns, rate } from '../measure.js'
import { withModel } from '../opened.js'
import { startLlamaServer, type LlamaServer } from '../peers/llama-server.js'
import type { Bench, Findings, Scenario } from '../scenario.js'

const modelOptions = { contextSize: 2048 }
const maxTokens = 192
const prompt = '<|im_start|>user\nList the guests of the hotel as JSON.<|im_end|>\n<|im_start|>assistant\n'

/** A typical schema; the list is so long that every answer takes all its tokens. */
const schemaOf = (key: string): object => ({
  type: 'array',
  minItems: 100,
  items: {
    type: 'object',
    properties: {
      [key]: { type: 'string', maxLength: 40 },
      age: { type: 'integer', minimum: 0, maximum: 120 },
      room: { enum: ['single', 'double', 'suite'] },
      remarks: { type: 'string' },
      nights: { type: 'array', items: { type: 'string', format: 'date' }, maxItems: 3 },
    },
    required: [key, 'age', 'room', 'remarks', 'nights'],
    additionalProperties: false,
  },
})
const grammarOf = (key: string): string =>
  prepareSchema(schemaOf(key) as Record<string, unknown>, (json) => nativeAddon().schemaToGrammar(json)).grammarSource

export const structured: Scenario = {
  name: 'structured',
  title: 'decode held to a schema beside decode without, and llama-server with the same schema',
  run: async (bench) => {
    const server = await startLlamaServer({ modelPath: bench.modelPath, slots: 1, cells: 2048, unified: true })
    try {
      return await withModel(bench.modelPath, modelOptions, (model) => measure(bench, model, server))
    } finally {
      await server.close()
    }
  },
}

async function measure({ rounds, say }: Bench, model: Model, server: LlamaServer): Promise<Findings> {
  const free: number[] = []
  const known: number[] = []
  const freeBesideNew: number[] = []
  const new_: number[] = []
  const greedy: number[] = []
  const serverHeld: number[] = []
  const serverFree: number[] = []
  const tokens = await model.tokenize(prompt)
  const generate = async (rates: number[], grammar?: string, options = {}): Promise<void> => {
    const result = await model.generate(prompt, { maxTokens, ignoreEos: true, seed: 1, grammar, ...options })
    rates.push(decodeRate(result))
  }
  const ask = async (rates: number[], jsonSchema?: object): Promise<void> => {
    const { firstMs, endedMs } = await server.stream({ prompt: tokens, maxTokens, jsonSchema })
    rates.push(rate(maxTokens - 1, endedMs - firstMs))
  }
  await generate([], grammarOf('name'))
  await ask([])
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`)
    await inTurns(
      round,
      () => generate(known, grammarOf('name')),
      () => generate(free),
    )
    await inTurns(
      round,
      () => generate(new_, grammarOf(`name${round}`)),
      () => generate(freeBesideNew),
    )
    await inTurns(
      round,
      () => generate(greedy, grammarOf('name'), { temperature: 0 }),
      () => ask(serverHeld, schemaOf('name')),
    )
    await ask(serverFree)
  }
  return {
    rows: [
      {
        name: 'decode with a schema seen before',
        unit: 'tokens/s',
        ours: known,
        beside: { name: 'without a schema', readings: free },
        target: { of: 'ratio', atLeast: 0.9 },
      },
      {
        name: 'decode with a new schema',
        unit: 'tokens/s',
        ours: new_,
        beside: { name: 'without a schema', readings: freeBesideNew },
        target: { of: 'ratio', atLeast: 0.9 },
      },
      {
        name: 'greedy decode with a schema',
        unit: 'tokens/s',
        ours: greedy,
        beside: { name: 'llama-server', readings: serverHeld },
        target: { of: 'ratio', atLeast: 1 },
      },
      {
        name: 'llama-server: greedy decode with the schema',
        unit: 'tokens/s',
        ours: serverHeld,
        beside: { name: 'llama-server without', readings: serverFree },
      },
    ],
    notes: [
      `${maxTokens} tokens after a prompt of ${tokens.length}, from the first token to the last; default sampling at seed 1`,
      'an array of at least 100 objects of five properties, so that each answer takes all its tokens',
      server.description,
    ],
  }
}

function decodeRate({ usage }: Result): number {
  if (usage.outputTokens !== maxTokens)
    throw new Error(`${usage.outputTokens} tokens came, ${maxTokens} were expected.`)
  return rate(usage.outputTokens - 1, usage.decodeMs)
}
