// npx tsx test/native/write-scripted-model.ts PATH
import { writeScriptedModel } from '../support/scripted-model.js'

const [path] = process.argv.slice(2)
if (path === undefined) throw new Error('Say where to.')
await writeScriptedModel(path, { layers: 4 })
