// Makes a model, and dies at the given change to the disk.
import { dieAtChange } from '../store/death.js'

const [directory = '', work = '', modelfile = '', anyFile = '', dieAt = '0'] = process.argv.slice(2)
const changes = await dieAtChange(Number(dieAt), anyFile)
const { Store } = await import('../../lib/store/index.js')
const { create } = await import('../../lib/create/index.js')
await create(new Store({ directory }), 'b', modelfile, { directory: work })
process.stdout.write(`${changes()}\n`)
