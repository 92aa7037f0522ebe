// Exports models to a file or imports them from one, and dies at the given change to the disk.
import { dieAtChange } from '../store/death.js'

const [directory = '', task = '', archive = '', dieAt = '0'] = process.argv.slice(2)
const changes = await dieAtChange(Number(dieAt), archive)
const { Store } = await import('../../lib/store/index.js')
const { exportModels, importModels } = await import('../../lib/transfer/index.js')
const store = new Store({ directory })
if (task === 'export') await exportModels(store, ['a', 'b'], archive)
else await importModels(store, archive)
process.stdout.write(`${changes()}\n`)
