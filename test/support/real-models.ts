import { homedir } from 'node:os'
import { join } from 'node:path'
import { Store } from '../../lib/store/index.js'
import { pull } from '../../lib/transfer/index.js'

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

async function modelPath(name: string): Promise<string> {
  const store = testStore()
  const model = (await store.find(name)) ?? (await pull(store, name, { variables: process.env }))
  return model.modelPath
}
