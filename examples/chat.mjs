// Asks one question and prints the whole answer:  node examples/chat.mjs [model] [question]
import { load } from 'llamero'

const [reference = 'smollm2:135m', question = 'Why is the sky blue?'] = process.argv.slice(2)

const model = await load(reference, { pull: true })
const { text, finishReason, usage } = await model.chat(question, { maxTokens: 128 })
console.log(text)
console.log(`(${usage.outputTokens} tokens, ${finishReason})`)
await model.close()
