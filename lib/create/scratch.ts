import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Store } from '../store/index.js'

/** A folder for files on their way into the store, on the store's own disk; made when it is first needed. */
export class Scratch {
  readonly #store: Store
  #folder: Promise<string> | undefined
  #files = 0

  constructor(store: Store) {
    this.#store = store
  }

  /** The path of a new file. */
  async file(): Promise<string> {
    this.#folder ??= this.#store.blobs.scratch()
    return join(await this.#folder, `${(this.#files += 1)}.gguf`)
  }

  /** Removes everything; what cannot be removed now is swept when this process is gone. */
  async remove(): Promise<void> {
    const folder = await this.#folder?.catch(() => undefined)
    if (folder !== undefined) await rm(folder, { recursive: true, force: true }).catch(() => {})
  }
}
