import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { parseDigest, type Store } from '../../lib/store/index.js'

/** Each final blob hashes to its name, each manifest parses and refers only to blobs that are there. */
export async function expectClean(store: Store): Promise<void> {
  const blobs = await readdir(join(store.directory, 'blobs')).catch(() => [])
  for (const name of blobs) expect(await store.blobs.verify(parseDigest(name)), name).toBe(true)
  const { models, warnings } = await store.list()
  expect(warnings).toEqual([])
  for (const { layers, config } of models) {
    for (const { digest, size } of [config, ...layers]) expect(await store.blobs.sizeBytes(digest)).toBe(size)
  }
}
