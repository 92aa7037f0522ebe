import { nativeAddon } from '../../lib/native.js'
import type {
  NativeEngine,
  NativeEngineOptions,
  NativeEngineStats,
  NativeFinish,
  NativeMetadataOverride,
  NativeModel,
  NativeNews,
  NativeRequest,
  NativeSampler,
  NativeTokenLogprob,
} from '../../lib/native.js'

/** The addon without the layers above it: what these tests are about. */
export async function loadRawModel(
  path: string,
  vocabularyOnly = false,
  metadataOverrides: readonly NativeMetadataOverride[] = [],
  mtp = false,
): Promise<NativeModel> {
  const addon = nativeAddon()
  const cancelFlag = addon.createCancelFlag()
  const kept = { path, gpuLayers: 0, memoryMap: true, checkTensors: false, mtp }
  return addon.modelLoad({ ...kept, vocabularyOnly, metadataOverrides, cancelFlag }, () => undefined)
}

/** Greedy, with every other option in the position that changes nothing. */
export const neutralSampler: NativeSampler = {
  seed: 1,
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  typicalP: 1,
  repeatPenalty: 1,
  repeatLastN: 64,
  presencePenalty: 0,
  frequencyPenalty: 0,
  dryMultiplier: 0,
  dryBase: 1.75,
  dryAllowedLength: 2,
  dryLastN: 64,
  dryBreakers: ['\n', ':', '"', '*'],
  xtcProbability: 0,
  xtcThreshold: 0.1,
  mirostat: 0,
  mirostatTau: 5,
  mirostatEta: 0.1,
  biasTokens: new Int32Array(),
  biasValues: new Float32Array(),
  grammar: '',
  grammarLazy: false,
  grammarTriggers: [],
  grammarPrefix: '',
  thinking: undefined,
}

export const plainEngine: NativeEngineOptions = {
  contextSize: 2048,
  maxSequences: 8,
  cachedSequences: 0,
  cacheTokens: 0,
  cacheBytes: 0,
  cacheFiles: undefined,
  batchSize: 512,
  microBatchSize: 512,
  rollback: 0,
  threads: 2,
  adaptThreads: false,
  flashAttention: 'auto',
  ownKernels: true,
  keyType: 'f16',
  valueType: 'f16',
  queueLimit: 512,
  stepTargetMs: 50,
}

export interface RawResult {
  readonly text: string
  /** The texts as they were handed over. */
  readonly deltas: readonly string[]
  readonly tokens: readonly number[]
  readonly logprobs: readonly (readonly NativeTokenLogprob[])[]
  readonly finish: NativeFinish
}

export interface RawRequest extends Partial<Omit<NativeRequest, 'sampler' | 'tokens'>> {
  readonly sampler?: Partial<NativeSampler>
}

export interface RawEngine {
  readonly model: NativeModel
  readonly native: NativeEngine
  tokenize(text: string): Promise<Int32Array>
  /** Runs a prompt to its end; an end by error is a result too. */
  run(prompt: string | Int32Array, request?: RawRequest): Promise<RawResult>
  stats(): NativeEngineStats
  close(): Promise<void>
}

/** An engine over a model file, with its trained head if asked for; `draftPath` is that of a draft model. */
export async function openRawEngine(
  path: string,
  options: Partial<NativeEngineOptions> = {},
  draftPath?: string,
  mtp = false,
): Promise<RawEngine> {
  const addon = nativeAddon()
  const model = await loadRawModel(path, false, [], mtp)
  const draft = draftPath === undefined ? undefined : await loadRawModel(draftPath)
  const listeners = new Map<number, (news: NativeNews) => void>()
  const deliver = (all: readonly NativeNews[]): void => {
    for (const news of all) listeners.get(news.id)?.(news)
  }
  const engine: NativeEngine = await addon.engineCreate(model, { ...plainEngine, ...options }, deliver, draft)
  const tokenize = (text: string) => addon.tokenize(model, [{ text, trusted: true }], { addSpecial: false })
  return {
    model,
    native: engine,
    tokenize,
    async run(prompt, { sampler, ...request } = {}) {
      const tokens = typeof prompt === 'string' ? await tokenize(prompt) : prompt
      return new Promise((resolve) => {
        const deltas: string[] = []
        const produced: number[] = []
        const logprobs: (readonly NativeTokenLogprob[])[] = []
        const id = addon.engineSubmit(engine, {
          media: [],
          maxTokens: 32,
          stop: [],
          preservedTokens: new Int32Array(),
          ignoreEos: false,
          logprobs: -1,
          priority: 0,
          timeoutMs: 0,
          queueTimeoutMs: 0,
          progress: false,
          bufferTokens: 100_000,
          cacheKey: '',
          session: 0,
          shiftAt: 0,
          shiftKeep: 0,
          shiftDrop: 0,
          adapters: [],
          draftTokens: 0,
          adaptDrafts: true,
          draftModel: true,
          ...request,
          tokens,
          sampler: { ...neutralSampler, ...sampler },
        })
        listeners.set(id, (news) => {
          if (news.text !== '') deltas.push(news.text)
          produced.push(...news.tokens)
          logprobs.push(...(news.logprobs ?? []))
          if (!news.finish) return
          listeners.delete(id)
          resolve({ text: deltas.join(''), deltas, tokens: produced, logprobs, finish: news.finish })
        })
      })
    },
    stats: () => addon.engineStats(engine),
    async close() {
      await addon.engineClose(engine)
      addon.modelClose(model)
      if (draft !== undefined) addon.modelClose(draft)
    },
  }
}
