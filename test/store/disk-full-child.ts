// Fills the disk of a store, then makes room by what the third argument names, and tells what happened.
import { rm } from 'node:fs/promises'
import { LlameroError } from '../../lib/errors.js'
import { digestOf, Store } from '../../lib/store/index.js'

const [directory = '', ballast = ''] = process.argv.slice(2)
const store = new Store({ directory })
const small = Buffer.alloc(50_000, 1)
const target = digestOf('target')
const part = { index: 0, source: digestOf('source') }

function* endless(): Generator<Uint8Array> {
  for (;;) yield Buffer.alloc(100_000, 2)
}
const outcome = async (work: () => Promise<unknown>) => {
  try {
    await work()
    return 'done'
  } catch (error) {
    return error instanceof LlameroError
      ? { code: error.code, message: error.message, ...error.details }
      : String(error)
  }
}

const first = await outcome(() => store.blobs.ingest(endless()))
const partial = await store.partials.open(target, part, 1e12, 5e9)
const download = await outcome(async () => {
  for (const bytes of endless()) await partial.append(bytes)
})
const kept = partial.sizeBytes
await partial.close()
const wanted = await outcome(() => store.requireSpace(1e15, 'download the model'))
if (ballast !== '') await rm(ballast)
const again = await outcome(() => store.blobs.ingest([small]))
process.stdout.write(JSON.stringify({ first, download, kept, wanted, again }))
