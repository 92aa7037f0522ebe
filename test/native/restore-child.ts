// Brings a saved session back and asks one question.
import { openModel } from '../../lib/model/index.js'

const [path = '', restore = '', question = ''] = process.argv.slice(2)
const model = await openModel({ path }, { threads: 1, contextSize: 4096, parallel: 4 })
const session = await model.session({ restore })
const { text, usage } = await session.chat(question, { temperature: 0, maxTokens: 12, ignoreEos: true })
console.log(JSON.stringify({ text, cachedTokens: usage.cachedTokens }))
await model.close()
