import { inTurns, rate } from '../measure.js'
import { withModel } from '../opened.js'
import { llamaBatchedBench, llamaCppSettings } from '../peers/llama-cpp.js'
import { promptOf } from '../prompt.js'
import type { Scenario } from '../scenario.js'
import { timeStream } from '../stream.js'

const count = 8
const promptTokens = 100
const generatedTokens = 64

export const streams: Scenario = {
  name: 'streams',
  title: `${count} streams at once beside llama-batched-bench`,
  run: ({ modelPath, rounds }) =>
    withModel(modelPath, { contextSize: 4096, flashAttention: 'on' }, async (model) => {
      const ours: number[] = []
      const peer: number[] = []
      await timeStream(model, await promptOf(model, 64, 1), { maxTokens: 16 })
      for (let round = 0; round < rounds; round++) {
        const salts = Array.from({ length: count }, (_, index) => 100 * round + index + 2)
        const prompts = await Promise.all(salts.map((salt) => promptOf(model, promptTokens, salt)))
        await inTurns(
          round,
          async () => {
            const started = performance.now()
            await Promise.all(prompts.map((prompt) => timeStream(model, prompt, { maxTokens: generatedTokens + 1 })))
            ours.push(rate(count * generatedTokens, performance.now() - started))
          },
          async () => {
            const sizes = { prompt: promptTokens, generate: generatedTokens, streams: count }
            peer.push(await llamaBatchedBench({ modelPath, ...sizes }))
          },
        )
      }
      return {
        rows: [
          {
            name: `${count} × (${promptTokens} + ${generatedTokens}), generated over all time`,
            unit: 'tokens/s',
            ours,
            beside: { name: 'llama-batched-bench', readings: peer },
          },
        ],
        notes: [
          `llama-batched-bench ${llamaCppSettings}, -kvu (one unified KV cache, as llamero's)`,
          "each stream has one token more, which its prompt's own decode gives and which is not counted",
        ],
      }
    }),
}
