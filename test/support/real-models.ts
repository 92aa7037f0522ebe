import { homedir } from 'node:os'
import { join } from 'node:path'
import { parseName, Store } from '../../lib/store/index.js'
import { findInCatalog } from '../../lib/transfer/index.js'
import { pullFromCatalog } from '../../lib/transfer/package-door.js'

/** The store that tests share: outside the checkout, so that a fresh clone finds what an earlier one pulled. */
export function testStore(): Store {
  return new Store({ directory: join(homedir(), '.cache', 'llamero-test', 'models') })
}

/** The weights of SmolLM2-135M-Instruct, pulled on first use (some 93 MB). */
export function smollm2Path(): Promise<string> {
  return modelPath('smollm2:135m')
}

/** The weights of Gemma 3 270M, pulled on first use (some 238 MB). */
export function gemma3Path(): Promise<string> {
  return modelPath('gemma3:270m')
}

// Not from the registry: tests know the digests of the catalog.
async function modelPath(name: string): Promise<string> {
  const store = testStore()
  const known = await store.find(name)
  if (known !== undefined) return known.modelPath
  const entry = findInCatalog(parseName(name))
  if (entry === undefined) throw new Error(`${name} is not in the catalog.`)
  const { signal } = new AbortController()
  const context = { store, signal, report: () => {}, pip: undefined, variables: process.env, retry: undefined }
  return (await pullFromCatalog(context, entry)).modelPath
}
