// The addon without the library around it, for programs that the tests run as children and workers: plain JavaScript,
// so that a worker starts in milliseconds.
import { createRequire } from 'node:module'
import { join } from 'node:path'

export class CodedError extends Error {
  constructor(code, message) {
    super(message)
    this.code = code
  }
}

/** The addon of a folder, ready to use. */
export function bareAddon(directory) {
  process.env.GGML_NO_BACKTRACE = '1'
  const addon = createRequire(import.meta.url)(join(directory, 'llamero.node'))
  addon.initialize(CodedError)
  addon.loadBackends(directory, '')
  return addon
}

const greedy = {
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
  grammar: '',
  grammarLazy: false,
  grammarTriggers: [],
  grammarPrefix: '',
  thinking: undefined,
}

const engineDefaults = {
  contextSize: 4096,
  maxSequences: 4,
  cachedSequences: 0,
  cacheTokens: 0,
  cacheBytes: 0,
  cacheFiles: undefined,
  batchSize: 512,
  microBatchSize: 512,
  rollback: 0,
  threads: 1,
  adaptThreads: false,
  flashAttention: 'auto',
  ownKernels: true,
  keyType: 'f16',
  valueType: 'f16',
  queueLimit: 64,
  stepTargetMs: 50,
}

export function loadModel(addon, path, flag = addon.createCancelFlag()) {
  const kept = { vocabularyOnly: false, checkTensors: false, mtp: false, metadataOverrides: [] }
  const options = { path, gpuLayers: 0, memoryMap: true, ...kept, cancelFlag: flag }
  return addon.modelLoad(options, () => undefined)
}

export function createEngine(addon, model, options = {}, onNews = () => undefined, draftModel = undefined) {
  return addon.engineCreate(model, { ...engineDefaults, ...options }, onNews, draftModel)
}

/** Where requests share prefixes that say nothing of it. */
export const noRoot = { cacheKey: '', adapters: [] }

/** A request for greedy text that never ends by itself, unless told otherwise. */
export function requestFor(tokens, options = {}) {
  return {
    tokens: Int32Array.from(tokens),
    media: [],
    maxTokens: -1,
    stop: [],
    ignoreEos: true,
    sampler: { ...greedy, biasTokens: new Int32Array(), biasValues: new Float32Array() },
    logprobs: -1,
    priority: 0,
    timeoutMs: 0,
    queueTimeoutMs: 0,
    progress: false,
    bufferTokens: 1024,
    ...noRoot,
    session: 0,
    shiftAt: 0,
    shiftKeep: 0,
    shiftDrop: 0,
    draftTokens: 0,
    draftModel: true,
    preservedTokens: new Int32Array(),
    adaptDrafts: true,
    ...options,
  }
}

/** A conversation of one message, without tools. */
export function chatInput(options = {}) {
  return {
    messagesJson: '[{"role":"user","content":"Hi"}]',
    toolsJson: '',
    toolChoice: 'auto',
    parallelToolCalls: false,
    schemaJson: '',
    grammar: '',
    thinking: true,
    separateThinking: true,
    variablesJson: '{}',
    addGenerationPrompt: true,
    continueFinalMessage: 'none',
    now: 0,
    ...options,
  }
}

export function tokenize(addon, model, text) {
  return addon.tokenize(model, [{ text, trusted: true }], { addSpecial: true })
}

/** Collects what an engine tells of its requests. */
export class Inbox {
  tokens = new Map()
  calls = []
  #texts = new Map()
  #finishes = new Map()
  #progress = new Map()
  #waiting = []

  take = (news) => {
    this.calls.push(news.length)
    for (const { id, text, tokens, promptTokens, finish } of news) {
      if (promptTokens !== undefined) this.#progress.set(id, [...this.progress(id), promptTokens])
      this.#texts.set(id, this.text(id) + text)
      this.tokens.set(id, (this.tokens.get(id) ?? 0) + tokens.length)
      if (finish !== undefined) this.#finishes.set(id, finish)
    }
    this.#waiting = this.#waiting.filter(({ until, resolve }) => {
      if (until()) resolve()
      return !until()
    })
  }

  text(id) {
    return this.#texts.get(id) ?? ''
  }

  progress(id) {
    return this.#progress.get(id) ?? []
  }

  finish(id) {
    return this.#finishes.get(id)
  }

  async ended(id) {
    await this.#when(() => this.finish(id) !== undefined)
    return this.text(id)
  }

  async begun(id, tokens = 1) {
    await this.#when(() => (this.tokens.get(id) ?? 0) >= tokens || this.finish(id) !== undefined)
    return this.text(id)
  }

  #when(until) {
    if (until()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ until, resolve }))
  }
}
