// Stores a model and dies at the given change to the disk, as a power switch would have it.
import { readFile } from 'node:fs/promises'
import { dieAtChange } from './death.js'

const [directory = '', weightsPath = '', dieAt = '0'] = process.argv.slice(2)
const changes = await dieAtChange(Number(dieAt), weightsPath)

const { mediaTypes, Store } = await import('../../lib/store/index.js')
const weights = await readFile(weightsPath)
const store = new Store({ directory })
const { digest, sizeBytes } = await store.blobs.ingest([weights.subarray(0, 10_000), weights.subarray(10_000)])
const license = await store.addLayer(mediaTypes.license, 'Do as you like.')
await store.createModel('m', { layers: [{ mediaType: mediaTypes.model, digest, size: sizeBytes }, license] })
process.stdout.write(`${changes()}\n`)
