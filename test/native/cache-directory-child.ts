// Answers one prompt with what an earlier process left in a cache directory.
import { openModel } from '../../lib/model/index.js'

const [path = '', cacheDirectory = '', prompt = ''] = process.argv.slice(2)
const model = await openModel({ path }, { threads: 1, contextSize: 4096, parallel: 4, cacheDirectory })
const { text, usage } = await model.generate(prompt, { temperature: 0, maxTokens: 12, ignoreEos: true })
console.log(JSON.stringify({ text, cachedTokens: usage.cachedTokens, diskHits: model.metrics().diskHits }))
await model.close()
