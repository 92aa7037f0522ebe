import type { NativeAdapter } from '../native-types.js'
import { disposedError } from './engine.js'

/** What is known of an adapter; stays readable after `close`. */
export interface AdapterInfo {
  readonly kind: 'lora' | 'control-vector'
  /** The name in the file, else the file's own; '' for a control vector that was made of numbers. */
  readonly name: string
  /** The architecture of the model that it is for. */
  readonly architecture: string
  /** Bytes of its numbers. */
  readonly sizeBytes: number
  /**
   * Of an activated LoRA (aLoRA): the tokens from which on it was trained to work; else empty. llamero uses every adapter
   * from the first token on.
   */
  readonly invocationTokens: readonly number[]
}

/** How an adapter works on a request or a session. */
export interface ScaledAdapter {
  /** One of `model.adapter` or `model.controlVector`. */
  readonly adapter: Adapter
  /** How strongly, -100 to 100; 0 leaves it out. @default 1 */
  readonly scale?: number | undefined
}

interface Inside {
  /** The model that it is for. */
  readonly owner: object
  readonly native: NativeAdapter
  /** Tells what it computes, the same in every process. */
  readonly digest: string
  readonly closeNative: () => Promise<void>
}

let construct: (info: AdapterInfo, inside: Inside) => Adapter
let insideOf: (adapter: Adapter) => Inside

/**
 * A LoRA adapter or a control vector, made by {@link Model.adapter} or {@link Model.controlVector} and chosen per request
 * or session with the option `adapters`. Any number of them may use it at once. Close it when done, by `close()` or
 * `await using`; closing the model closes it too.
 */
export class Adapter {
  readonly info: AdapterInfo
  readonly #inside: Inside
  readonly #entering = new Set<Promise<void>>()
  #closed: Promise<void> | undefined

  private constructor(info: AdapterInfo, inside: Inside) {
    this.info = info
    this.#inside = inside
  }

  static {
    construct = (info, inside) => new Adapter(info, inside)
    insideOf = (adapter) => adapter.#inside
  }

  /** Whether `close` was called. */
  get closed(): boolean {
    return this.#closed !== undefined
  }

  /**
   * Frees it; calling it again is harmless. Requests that were made before go on with it and keep it alive; later ones
   * throw `ERR_DISPOSED`.
   */
  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  /** Does what `close` does, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /**
   * A request that uses it enters the engine when `entered` settles, which never rejects; until then `close` waits.
   * @internal
   */
  hold(entered: Promise<void>): void {
    this.#entering.add(entered)
    void entered.then(() => this.#entering.delete(entered))
  }

  async #close(): Promise<void> {
    await Promise.all(this.#entering)
    await this.#inside.closeNative()
  }
}

export function makeAdapter(info: AdapterInfo, inside: Inside): Adapter {
  return construct(info, inside)
}

/** Whether an adapter is for that model; throws `ERR_DISPOSED` for a closed one. */
export function isUsable(adapter: Adapter, owner: object): boolean {
  if (adapter.closed) throw disposedError('load it again', 'adapter')
  return insideOf(adapter).owner === owner
}

export function nativeAdapter(adapter: Adapter): NativeAdapter {
  return insideOf(adapter).native
}

export function adapterDigest(adapter: Adapter): string {
  return insideOf(adapter).digest
}
