import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { quantize } from '../../lib/runtime/index.js'
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

/**
 * How far a log probability of a real model's F16 weights may be from the one computed from scratch. Seen where a prompt
 * was computed in other batches: up to 0.002 with the kernels for AMX, 0.006 with AVX-512, 0.009 with AVX and AVX2.
 * Wrong cells give whole units.
 */
export const f16Tolerance = 0.03

/**
 * The same weights as F16, in a new file of the folder (SmolLM2: 270 MB, Gemma 3: 543 MB). Quantised weights are
 * multiplied by activations that are rounded to 8 bits, otherwise where other numbers of rows come at once: on some
 * processors that alone moves a log probability by 0.3.
 */
export async function asF16(path: string, directory: string): Promise<string> {
  const target = join(directory, `${basename(path)}-f16.gguf`)
  await quantize(path, target, { type: 'f16', allowRequantize: true, probe: false })
  return target
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
