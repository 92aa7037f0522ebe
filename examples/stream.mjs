// Prints two answers as they are made; both run in the same batches:  node examples/stream.mjs [model]
import { load } from 'llamero'

const model = await load(process.argv[2] ?? 'smollm2:135m', { pull: true })
const questions = ['Name three colours.', 'Name three animals.']

await Promise.all(
  questions.map(async (question) => {
    for await (const part of model.chat(question, { maxTokens: 48 })) {
      if (part.type === 'text') console.log(`${question} … ${JSON.stringify(part.text)}`)
    }
  }),
)
await model.close()
