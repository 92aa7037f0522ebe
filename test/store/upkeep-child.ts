// Works on a store that others work on too, for some seconds, and tells how often it did.
import { LlameroError } from '../../lib/errors.js'
import { Store } from '../../lib/store/index.js'
import { createModel } from './stored-models.js'

const [directory = '', task = '', seed = '0'] = process.argv.slice(2)
const store = new Store({ directory })
const pick = (round: number) => `m:${(round * 7 + Number(seed)) % 3}`

const tasks: Readonly<Record<string, (round: number) => Promise<unknown>>> = {
  // What it makes may be gone before it is looked at again; what it is made of may not.
  create: (round) => createModel(store, pick(round), `License ${round % 5}.`).catch(ignoreMissing),
  copy: (round) => store.copy(pick(round), pick(round + 1)).catch(ignoreMissing),
  remove: (round) => store.remove(pick(round)).catch(ignoreMissing),
  prune: () => store.prune({ minAgeMs: 0 }),
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof LlameroError) || error.code !== 'ERR_MODEL_NOT_FOUND') throw error
}

const end = performance.now() + 6000
let rounds = 0
for (; performance.now() < end; rounds += 1) await tasks[task]?.(rounds)
process.stdout.write(`${rounds}\n`)
