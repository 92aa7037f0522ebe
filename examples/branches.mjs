// One beginning, two endings:  node examples/branches.mjs [model] [question] [first] [second]
import { load } from 'llamero'

const [reference = 'smollm2:135m', question = 'Name an animal.', ...asked] = process.argv.slice(2)
const [first = 'Where does it live?', second = 'What does it eat?'] = asked

const model = await load(reference, { pull: true })
const session = await model.session()
const { text } = await session.chat(question, { maxTokens: 64, temperature: 0 })
console.log(text)
const fork = await session.fork()
const answers = [
  session.chat(first, { maxTokens: 64, temperature: 0 }),
  fork.chat(second, { maxTokens: 64, temperature: 0 }),
]
for (const { text, usage } of await Promise.all(answers)) console.log(`(${usage.cachedTokens} tokens cached) ${text}`)
await model.close()
