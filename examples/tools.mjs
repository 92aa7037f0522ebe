// Lets a model use a tool, step by step:  node examples/tools.mjs [model] [question]
//
// SmolLM2 has 135 million weights and was never taught to call tools: it must be made to (`toolChoice`), may call one
// at a time, and can do no more than repeat what it is told. Larger models choose by themselves.
import { load, tool } from 'llamero'

const [reference = 'smollm2:135m', question = 'What is the weather in Rome?'] = process.argv.slice(2)

const weather = tool({
  description: 'The weather of a city.',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string', minLength: 2, maxLength: 30, pattern: '^[A-Z][a-z]+$' } },
    required: ['city'],
  },
  run: ({ city }) => `${city}: sunny, 21 degrees, light wind.`,
})

const model = await load(reference, { pull: true })
const generation = model.chat(question, {
  tools: { weather },
  toolChoice: 'required',
  parallelToolCalls: false,
  maxSteps: 2,
  maxTokens: 128,
  temperature: 0,
})
for await (const part of generation) {
  if (part.type === 'tool-call') console.log(`calls ${part.name}(${JSON.stringify(part.arguments)})`)
  if (part.type === 'tool-result') console.log(`gets  ${part.error ?? String(part.result)}`)
}
const { text, finishReason } = await generation
console.log(`says  ${text} (${finishReason})`)
await model.close()
