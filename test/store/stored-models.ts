import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { mediaTypes, parseName, type Layer, type Store, type StoredModel } from '../../lib/store/index.js'
import { manifestPath } from '../../lib/store/layout.js'
import { randomModel } from '../support/random-model.js'

export const weights = randomModel('llama')

/** Stores a model of the same weights and a license of its own. */
export async function createModel(store: Store, name: string, license = 'Do as you like.'): Promise<StoredModel> {
  const { digest, sizeBytes } = await store.blobs.ingest([weights])
  const layers: Layer[] = [
    { mediaType: mediaTypes.model, digest, size: sizeBytes },
    await store.addLayer(mediaTypes.license, license),
  ]
  return store.createModel(name, { layers })
}

export function manifestFile({ directory }: Store, name: string): string {
  return manifestPath(directory, parseName(name))
}

export function putManifest(store: Store, name: string, text: string): void {
  const path = manifestFile(store, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

export function blobFiles({ directory }: Store): string[] {
  return readdirSync(join(directory, 'blobs')).sort()
}

export async function modelNames(store: Store): Promise<string[]> {
  return (await store.list()).models.map(({ displayName }) => displayName).sort()
}

/** Makes everything in a folder of a store look older than an hour. */
export function age({ directory }: Store, folder: 'blobs' | 'ingest', when = Date.now() / 1000 - 3700): void {
  for (const name of readdirSync(join(directory, folder))) utimesSync(join(directory, folder, name), when, when)
}
