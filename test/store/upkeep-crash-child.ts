// Copies, removes or prunes in a store, and dies at the given change to the disk.
import { dieAtChange } from './death.js'

const [directory = '', task = '', anyFile = '', dieAt = '0'] = process.argv.slice(2)
const changes = await dieAtChange(Number(dieAt), anyFile)
const { Store } = await import('../../lib/store/index.js')
const store = new Store({ directory })
const tasks: Readonly<Record<string, () => Promise<unknown>>> = {
  copy: () => store.copy('a', 'b'),
  remove: () => store.remove('ns/b:1'),
  prune: () => store.prune({ minAgeMs: 0 }),
}
await tasks[task]?.()
process.stdout.write(`${changes()}\n`)
