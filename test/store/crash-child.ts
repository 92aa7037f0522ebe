// Stores a model and dies at the given change to the disk, as a power switch would have it.
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

const [directory = '', weightsPath = '', dieAt = '0'] = process.argv.slice(2)
let changes = 0

function counted<Arguments extends unknown[], Value>(change: (...args: Arguments) => Value) {
  return function (this: unknown, ...args: Arguments): Value {
    changes += 1
    if (changes === Number(dieAt)) process.kill(process.pid, 'SIGKILL')
    return change.apply(this, args)
  }
}

const probe = await fs.open(weightsPath, 'r')
const handle = Object.getPrototypeOf(probe) as Record<string, (...args: unknown[]) => unknown>
await probe.close()
for (const name of ['write', 'writeFile', 'sync', 'chmod', 'truncate'] as const) {
  const method = handle[name]
  if (method) handle[name] = counted(method)
}
const changing = fs as unknown as Record<string, (...args: unknown[]) => unknown>
for (const name of ['open', 'mkdir', 'rename', 'link', 'rm', 'writeFile', 'utimes', 'copyFile'] as const) {
  const change = changing[name]
  if (change) changing[name] = counted(change)
}
syncBuiltinESMExports()

const { mediaTypes, Store } = await import('../../lib/store/index.js')
const weights = await fs.readFile(weightsPath)
const store = new Store({ directory })
const { digest, sizeBytes } = await store.blobs.ingest([weights.subarray(0, 10_000), weights.subarray(10_000)])
const license = await store.addLayer(mediaTypes.license, 'Do as you like.')
await store.createModel('m', { layers: [{ mediaType: mediaTypes.model, digest, size: sizeBytes }, license] })
process.stdout.write(`${changes}\n`)
