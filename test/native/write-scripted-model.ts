// npx tsx test/native/write-scripted-model.ts PATH
import { writeMediaBeside } from '../support/media-models.js'
import { writeScriptedModel } from '../support/scripted-model.js'

const [path] = process.argv.slice(2)
if (path === undefined) throw new Error('Say where to.')
await writeScriptedModel(path, { layers: 4 })
await writeMediaBeside(path)
