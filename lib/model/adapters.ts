import { createHash } from 'node:crypto'
import { invalidOption } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { NativeAdapter } from '../native-types.js'
import { makeAdapter, type Adapter, type AdapterInfo } from './adapter.js'
import { onAbort } from './abort.js'
import { layerDirections, type ControlVectorData } from './control-vector.js'
import { disposedError, type Engine } from './engine.js'
import { engineOf, type OpenedModel } from './open-model.js'
import { abortSignal } from './option-kinds.js'
import { readOptions } from './option-rule.js'

/** How an adapter is loaded. */
export interface AdapterOptions {
  /** Cancels loading, which then rejects with `signal.reason`. It has no effect afterwards. @default none */
  readonly signal?: AbortSignal | undefined
}

/** What judges adapter files for a model before native code sees them; their format is not this room's business. */
export interface AdapterJudge {
  /** Rejects unless the file is a LoRA adapter that llama.cpp can load and multiply with. `digest` is the file's. */
  lora(path: string, signal: AbortSignal | undefined): Promise<Omit<AdapterInfo, 'kind'> & { readonly digest: string }>
  /** The directions of a file by layer. */
  controlVector(path: string, signal: AbortSignal | undefined): Promise<ControlVectorData & { readonly name: string }>
}

const adapterOptions = { signal: abortSignal('Cancels loading.') }

/** The adapters of one model, which end with it. */
export class Adapters {
  readonly #opened: OpenedModel
  readonly #judge: AdapterJudge | undefined
  readonly #made = new Set<Adapter>()
  #closed = false

  constructor(opened: OpenedModel, judge: AdapterJudge | undefined) {
    this.#opened = opened
    this.#judge = judge
  }

  async lora(path: string, options: AdapterOptions): Promise<Adapter> {
    const { signal } = readOptions(adapterOptions, options, this.#opened.info)
    const engine = engineOf(this.#opened)
    signal?.throwIfAborted()
    const { digest, ...facts } = await this.#judgeOf().lora(checkAdapterPath(path), signal)
    this.#checkOpen()
    signal?.throwIfAborted()
    const { addon, native } = this.#opened
    const loading = addon.adapterLoad(native, path, digest)
    const loaded = await this.#unlessAborted(loading, engine, signal)
    return this.#keep({ kind: 'lora', ...facts }, { native: loaded, digest }, engine)
  }

  async controlVector(source: string | ControlVectorData, options: AdapterOptions): Promise<Adapter> {
    const { signal } = readOptions(adapterOptions, options, this.#opened.info)
    const engine = engineOf(this.#opened)
    signal?.throwIfAborted()
    const { addon, native, info } = this.#opened
    const isPath = typeof source === 'string'
    const data = isPath
      ? await this.#judgeOf().controlVector(checkAdapterPath(source), signal)
      : { ...source, name: '' }
    this.#checkOpen()
    signal?.throwIfAborted()
    const numbers = layerDirections(data, info)
    const { architecture } = info
    const facts = { name: data.name, architecture, sizeBytes: numbers.byteLength, invocationTokens: [] }
    const digest = digestOf(numbers)
    const made = addon.controlVectorCreate(native, numbers, digest)
    return this.#keep({ kind: 'control-vector', ...facts }, { native: made, digest }, engine)
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#made].map((adapter) => adapter.close()))
  }

  #keep(info: AdapterInfo, { native, digest }: { native: NativeAdapter; digest: string }, engine: Engine): Adapter {
    const adapter: Adapter = makeAdapter(info, {
      owner: this.#opened,
      native,
      digest,
      closeNative: async () => {
        this.#made.delete(adapter)
        await engine.closeAdapter(native)
      },
    })
    this.#made.add(adapter)
    return adapter
  }

  /** What was loaded; a load that nobody waits for any more is closed when it is done. */
  async #unlessAborted(
    loading: Promise<NativeAdapter>,
    engine: Engine,
    signal: AbortSignal | undefined,
  ): Promise<NativeAdapter> {
    let unlisten: (() => void) | undefined
    const aborted = new Promise<never>((_, reject) => {
      // A caller's reason may be anything.
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
      if (signal !== undefined) unlisten = onAbort(signal, () => reject(signal.reason))
    })
    try {
      const loaded = await Promise.race([loading, aborted])
      this.#checkOpen()
      return loaded
    } catch (error) {
      loading.then((native) => engine.closeAdapter(native)).catch(() => undefined)
      throw error
    } finally {
      unlisten?.()
    }
  }

  #judgeOf(): AdapterJudge {
    if (this.#judge !== undefined) return this.#judge
    throw new LlameroError(
      'ERR_UNSUPPORTED',
      'This model was opened without a judge of adapter files; use the model that `load` gives.',
    )
  }

  #checkOpen(): void {
    if (this.#closed) throw disposedError('open it again to go on')
  }
}

/** Of a control vector: the same from numbers and from a file of them. */
function digestOf(numbers: Float32Array): string {
  return createHash('sha256').update(numbers).digest('hex')
}

function checkAdapterPath(path: unknown): string {
  if (typeof path !== 'string' || path === '') throw invalidOption('path', 'the path of a GGUF file', path)
  return path
}
