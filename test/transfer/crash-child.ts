// Pulls a model from a registry, and dies at the given change to the disk.
import { dieAtChange } from '../store/death.js'

const [directory = '', reference = '', home = '', anyFile = '', dieAt = '0'] = process.argv.slice(2)
const changes = await dieAtChange(Number(dieAt), anyFile)
const { Store } = await import('../../lib/store/index.js')
const { pull } = await import('../../lib/transfer/index.js')
const { pullOptions } = await import('./crash-options.js')
await pull(new Store({ directory }), reference, pullOptions(home))
process.stdout.write(`${changes()}\n`)
