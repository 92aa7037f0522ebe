import { LlameroError } from '../errors.js'
import type {
  Addon,
  NativeEmbedder,
  NativeEmbedderOptions,
  NativeEmbedderStats,
  NativeEmbedRequest,
  NativeModel,
  NativeModelInfo,
} from '../native-types.js'
import { onAbort } from './abort.js'
import { disposedError } from './engine.js'
import { createGate } from './gate.js'
import { canGenerate } from './model-info.js'
import type { PlacedValues } from './model-options.js'

// A step visits every token for every token in it, so that more of them cost more than they bring: beyond some 500 the
// weights are read often enough.
const batchSize = 512
const leastBatchSize = 128
// llama.cpp computes logits for every token of a model that generates, and keeps them.
const logitsInMemory = 2 ** 25
const maxInputs = 128
// A recurrent model has a state in memory for each input that there could be in a step.
const maxStates = 8
// Each call that is under way has a thread that waits for it; what they bring fills a step.
const nativeCalls = 64

/** The JavaScript side of the embedder: makes the native one when it is first needed, and bounds what waits. */
export class Embedder {
  readonly #addon: Addon
  readonly #model: NativeModel
  readonly #options: NativeEmbedderOptions
  readonly #capacity: number
  readonly #gate = createGate(nativeCalls)
  #native: NativeEmbedder | undefined
  #admitted = 0
  #closing: Promise<void> | undefined

  constructor(addon: Addon, model: NativeModel, options: NativeEmbedderOptions, capacity: number) {
    this.#addon = addon
    this.#model = model
    this.#options = options
    this.#capacity = capacity
  }

  /**
   * Runs `work` as one call that counts as waiting until it ends. Rejects with `ERR_QUEUE_FULL` when as many wait as
   * may, and with the signal's reason as soon as it aborts.
   */
  async admitted<Value>(signal: AbortSignal | undefined, work: () => Promise<Value>): Promise<Value> {
    signal?.throwIfAborted()
    this.#checkOpen()
    if (this.#admitted >= this.#capacity) {
      throw new LlameroError(
        'ERR_QUEUE_FULL',
        `${this.#admitted} calls of embed and rerank run or wait, which is all that may; embed many texts in one call, ` +
          'try again later or raise queueLimit.',
        { details: { requests: this.#admitted } },
      )
    }
    this.#admitted++
    const working = work().finally(() => this.#admitted--)
    return signal === undefined ? working : untilAbort(working, signal)
  }

  /** The vectors of all inputs, one after the other. */
  run(request: Omit<NativeEmbedRequest, 'cancelFlag'>, signal: AbortSignal | undefined): Promise<Float32Array> {
    return this.#gate(async () => {
      signal?.throwIfAborted()
      this.#checkOpen()
      this.#native ??= this.#addon.embedderCreate(this.#model, this.#options)
      const cancelFlag = this.#addon.createCancelFlag()
      const unlisten = signal === undefined ? undefined : onAbort(signal, () => this.#addon.cancel(cancelFlag))
      try {
        return await this.#addon.embedderRun(this.#native, { ...request, cancelFlag })
      } finally {
        unlisten?.()
      }
    })
  }

  stats(): NativeEmbedderStats {
    this.#checkOpen()
    if (this.#native === undefined) return { steps: 0, inputs: 0, tokens: 0, waiting: 0, computeMs: 0 }
    return this.#addon.embedderStats(this.#native)
  }

  /** Ends what runs and waits with `ERR_DISPOSED`; resolves when the embedder's thread is gone. */
  close(): Promise<void> {
    return (this.#closing ??= this.#native === undefined ? Promise.resolve() : this.#addon.embedderClose(this.#native))
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw disposedError('nothing can be asked of it any more')
  }
}

/** The settings of a model's embedder. */
export function embedderOptions(
  contextSize: number,
  info: NativeModelInfo,
  options: PlacedValues,
): NativeEmbedderOptions {
  const splits = canGenerate(info)
  const withLogits = Math.max(leastBatchSize, Math.floor(logitsInMemory / info.vocabularySize))
  return {
    contextSize,
    batchSize: splits ? Math.min(batchSize, withLogits) : batchSize,
    maxInputs: info.isRecurrent || info.isHybrid ? maxStates : maxInputs,
    splits,
    threads: options.threads,
    flashAttention: options.flashAttention,
    ownKernels: options.kernels === 'llamero',
  }
}

function untilAbort<Value>(working: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const unlisten = onAbort(signal, () => reject(signal.reason as Error))
    working.then(resolve, reject).finally(unlisten)
  })
}
