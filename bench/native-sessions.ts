import type {
  NativeEngine,
  NativeEngineOptions,
  NativeFinish,
  NativeModel,
  NativeRequest,
} from '../lib/native-types.js'
import { nativeAddon } from '../lib/native.js'
import { threads } from './scenario.js'

const engineOptions: NativeEngineOptions = {
  contextSize: 16_384,
  maxSequences: 4,
  cachedSequences: 64,
  cacheTokens: 0,
  batchSize: 2048,
  microBatchSize: 512,
  threads,
  adaptThreads: true,
  flashAttention: 'on',
  keyType: 'f16',
  valueType: 'f16',
  queueLimit: 512,
  stepTargetMs: 50,
}

const greedy: NativeRequest['sampler'] = {
  seed: 1,
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  typicalP: 1,
  repeatPenalty: 1,
  repeatLastN: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  dryMultiplier: 0,
  dryBase: 1.75,
  dryAllowedLength: 2,
  dryLastN: 0,
  dryBreakers: [],
  xtcProbability: 0,
  xtcThreshold: 0.1,
  mirostat: 0,
  mirostatTau: 5,
  mirostatEta: 0.1,
  biasTokens: new Int32Array(),
  biasValues: new Float32Array(),
  grammar: '',
}

/** An engine whose sessions are asked for by number, as the native boundary has them. */
export interface SessionEngine {
  readonly native: NativeEngine
  tokenize(text: string): Promise<Int32Array>
  /** Computes a prompt, generates so much and keeps it all for the session; what the request cost. */
  run(session: number, tokens: Int32Array, generate: number): Promise<NativeFinish>
  close(): Promise<void>
}

export async function openSessionEngine(
  path: string,
  options: Partial<NativeEngineOptions> = {},
): Promise<SessionEngine> {
  const addon = nativeAddon()
  const load = { path, gpuLayers: 0, memoryMap: true, vocabularyOnly: false, checkTensors: false }
  const model: NativeModel = await addon.modelLoad({ ...load, cancelFlag: addon.createCancelFlag() }, () => undefined)
  const waiting = new Map<number, (finish: NativeFinish) => void>()
  const native = await addon.engineCreate(model, { ...engineOptions, ...options }, (all) => {
    for (const { id, finish } of all) if (finish !== undefined) waiting.get(id)?.(finish)
  })
  return {
    native,
    tokenize: (text) => addon.tokenize(model, [{ text, trusted: true }], { addSpecial: false }),
    run(session, tokens, generate) {
      const request: NativeRequest = {
        tokens,
        maxTokens: generate,
        shiftAt: 0,
        shiftKeep: 0,
        shiftDrop: 0,
        stop: [],
        ignoreEos: true,
        sampler: greedy,
        logprobs: -1,
        priority: 0,
        timeoutMs: 0,
        queueTimeoutMs: 0,
        progress: false,
        bufferTokens: 1_000_000,
        cacheKey: '',
        session,
      }
      return new Promise((resolve, reject) => {
        waiting.set(addon.engineSubmit(native, request), (finish) => {
          if (finish.reason === 'error') reject(new Error(`${finish.errorCode}: ${finish.errorMessage}`))
          else resolve(finish)
        })
      })
    },
    async close() {
      await addon.engineClose(native)
      addon.modelClose(model)
    },
  }
}
