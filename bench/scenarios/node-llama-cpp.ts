import { inTurns } from '../measure.js'
import { withModel } from '../opened.js'
import { startNodeLlamaCpp } from '../peers/node-llama-cpp.js'
import { promptOf } from '../prompt.js'
import { threads, type Row, type Scenario } from '../scenario.js'
import { decodeRate, timeStream } from '../stream.js'

const generatedTokens = 128
const contextSize = 2048
const cases = [
  { name: 'after a short prompt (16 tokens)', depth: 16, least: 3 },
  { name: 'at depth 512', depth: 512, least: 2 },
]

export const nodeLlamaCpp: Scenario = {
  name: 'node-llama-cpp',
  title: 'decode beside node-llama-cpp',
  run: ({ modelPath, rounds, say }) =>
    withModel(modelPath, { contextSize }, async (model) => {
      const peer = await startNodeLlamaCpp(modelPath, threads, { sequences: 1, contextSize })
      const readings = cases.map(() => ({ ours: [] as number[], peer: [] as number[] }))
      try {
        await timeStream(model, await promptOf(model, 64, 1), { maxTokens: 16 })
        await peer.decode({ prompt: [...(await promptOf(model, 64, 1))], generate: 16 })
        for (let round = 0; round < rounds; round++) {
          say(`round ${round + 1} of ${rounds}`)
          for (const [index, { depth }] of cases.entries()) {
            const prompt = await promptOf(model, depth, 10 * round + index + 2)
            await inTurns(
              round,
              async () => {
                const timing = await timeStream(model, prompt, { maxTokens: generatedTokens + 1 })
                readings[index]!.ours.push(decodeRate(timing))
              },
              async () => {
                const speed = await peer.decode({ prompt: [...prompt], generate: generatedTokens })
                readings[index]!.peer.push(speed)
              },
            )
          }
        }
      } finally {
        await peer.close()
      }
      return {
        rows: cases.map(({ name, least }, index): Row => ({
          name: `decode of ${generatedTokens} ${name}`,
          unit: 'tokens/s',
          ours: readings[index]!.ours,
          beside: { name: 'node-llama-cpp', readings: readings[index]!.peer },
          target: { of: 'ratio', atLeast: least },
        })),
        notes: [
          peer.description,
          'both: greedy, same prompt tokens, past the end token, text of every token, timed from the first token received to the last',
        ],
      }
    }),
}
