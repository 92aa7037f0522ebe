import { LlameroError } from '../../lib/errors.js'
import type {
  Addon,
  NativeAdapter,
  NativeCancelFlag,
  NativeEngine,
  NativeModel,
  NativeModelInfo,
  NativeChatAnswer,
  NativeChatFormat,
  NativeChatInput,
  NativeChatPrompt,
  NativeChatTemplate,
  NativeChatTemplateInfo,
  NativeTextPart,
} from '../../lib/native-types.js'
import { fakeEmbedder, type FakeEmbedderLog } from './fake-embedder.js'
import { FakeEngine, type Script } from './fake-engine.js'
import { bosToken, eosToken, pieceOf, textOf, tokenizeParts, vocabularySize } from './fake-vocabulary.js'

export interface FakeOptions {
  /** What follows a prompt; repeats the prompt and ends unless given. */
  readonly script?: Script
  /** Steps by itself, one per turn of the event loop; otherwise the test calls `engine().step()`. */
  readonly automatic?: boolean
  readonly info?: Partial<NativeModelInfo>
  /** Free memory; a token takes one byte of it, all else nothing. */
  readonly freeBytes?: number
  /** What the template offers. */
  readonly template?: Partial<NativeChatTemplateInfo>
  /** How answers are taken apart; they are plain text unless given. */
  readonly parse?: (text: string, isPartial: boolean) => NativeChatAnswer
  /** What else the prompt says of its answer. */
  readonly prompt?: Partial<NativeChatPrompt>
  /** Calls of `onProgress` while loading. */
  readonly loadSteps?: number
}

export interface FakeAddon extends Addon, FakeEmbedderLog {
  /** Calls in their order, by name. */
  readonly calls: string[]
  /** What grammars were made of. */
  readonly schemas: string[]
  /** What prompts were made of. */
  readonly chatInputs: NativeChatInput[]
  /** The engine made last. */
  engine(): FakeEngine
}

interface Message {
  readonly role: string
  readonly content: string
}

/** The native contract without native code: bytes as tokens, a scripted answer, ChatML. */
export function createFakeAddon(options: FakeOptions = {}): FakeAddon {
  const calls: string[] = []
  const requests: FakeEmbedderLog['requests'] = []
  const chatInputs: NativeChatInput[] = []
  const schemas: string[] = []
  let made: FakeEngine | undefined
  const info = { ...defaultInfo, ...options.info }
  const script = options.script ?? ((prompt) => [...prompt])
  const unused = (): never => {
    throw new Error('not part of the fake')
  }
  const asEngine = (engine: NativeEngine): FakeEngine => engine as unknown as FakeEngine
  const asFlag = (flag: NativeCancelFlag): { cancelled: boolean } => flag as unknown as { cancelled: boolean }

  return {
    calls,
    requests,
    chatInputs,
    schemas,
    ...fakeEmbedder({ requests }, calls),
    engine() {
      if (made === undefined) throw new Error('no engine was made')
      return made
    },
    initialize: unused,
    cpuModules: unused,
    loadBackends: unused,
    createCancelFlag: () => ({ cancelled: false }) as unknown as NativeCancelFlag,
    cancel(flag) {
      calls.push('cancel')
      asFlag(flag).cancelled = true
    },
    async modelLoad({ cancelFlag }, onProgress) {
      calls.push('modelLoad')
      const steps = options.loadSteps ?? 2
      for (let i = 0; i <= steps; i++) {
        await new Promise(setImmediate)
        if (asFlag(cancelFlag).cancelled) throw new LlameroError('ERR_CANCELLED')
        onProgress(i / steps)
      }
      return {} as NativeModel
    },
    modelInfo: () => info,
    modelClose: () => void calls.push('modelClose'),
    async tokenize(_model, parts, { addSpecial }) {
      calls.push('tokenize')
      const tokens = tokenizeParts(parts)
      return Int32Array.from(addSpecial && info.addsBos ? [bosToken, ...tokens] : tokens)
    },
    async tokenizeTexts(_model, texts, { addSpecial }) {
      calls.push('tokenizeTexts')
      const lists = texts.map((parts) => {
        const tokens = tokenizeParts(parts)
        return [
          ...(addSpecial && info.addsBos ? [bosToken] : []),
          ...tokens,
          ...(addSpecial && info.addsEos ? [info.eosToken < 0 ? info.sepToken : eosToken] : []),
        ]
      })
      return { tokens: Int32Array.from(lists.flat()), lengths: Int32Array.from(lists, ({ length }) => length) }
    },
    detokenize: async (_model, tokens, { renderSpecial }) => textOf(tokens, renderSpecial),
    piece: (_model, token) => pieceOf(token),
    async chatTemplate() {
      calls.push('chatTemplate')
      return {} as NativeChatTemplate
    },
    chatTemplateInfo: () => ({ ...plainTemplate, source: info.chatTemplate, ...options.template }),
    async chatPrompt(_template, input) {
      calls.push('chatPrompt')
      chatInputs.push(input)
      const isPlain = options.parse === undefined
      return { ...plainPrompt, ...options.prompt, isPlain, parts: renderChatMl(input) }
    },
    schemaToGrammar(schema) {
      schemas.push(schema)
      return 'root ::= "{" [^}]* "}"'
    },
    chatParse: async (_format, text, isPartial) => options.parse?.(text, isPartial) ?? unused(),
    freeMemory: () => ({ mainBytes: options.freeBytes ?? 0, gpuBytes: 0 }),
    memoryNeed: () => ({
      weightsBytes: 0,
      cellBytes: 1,
      sequenceBytes: 0,
      bufferBytes: 0,
      bufferCellBytes: 0,
      gpuShare: 0,
    }),
    async adapterLoad() {
      calls.push('adapterLoad')
      return {} as NativeAdapter
    },
    controlVectorCreate() {
      calls.push('controlVectorCreate')
      return {} as NativeAdapter
    },
    async adapterClose() {
      calls.push('adapterClose')
    },
    async engineCreate(_model, engineOptions, onNews) {
      calls.push('engineCreate')
      made = new FakeEngine(engineOptions, script, options.automatic ?? true, onNews)
      return made as unknown as NativeEngine
    },
    engineInfo(engine) {
      const { contextSize, maxSequences, batchSize, microBatchSize, threads } = asEngine(engine).options
      return { contextSize, maxSequences, batchSize, microBatchSize, threads }
    },
    engineSubmit: (engine, request) => asEngine(engine).submit(request),
    engineCancel: (engine, id) => asEngine(engine).cancel(id),
    engineAcknowledge: (engine, id, tokens) => asEngine(engine).acknowledge(id, tokens),
    engineStats(engine) {
      const { steps, outputTokens, running, parked, deliveries } = asEngine(engine)
      const zero = { promptTokens: 0, waiting: 0, preemptions: 0, cellsUsed: 0, threads: 1, ...noCache }
      return { ...zero, steps, outputTokens, running, parked, deliveries, betweenDecodesMs: 0, decodeMs: 0 }
    },
    async engineClose(engine) {
      calls.push('engineClose')
      asEngine(engine).close()
    },
    cacheDrop: async () => undefined,
    sessionTokens: async (engine, session) => asEngine(engine).sessions.get(session)?.length ?? 0,
    sessionFork: async (engine, session, fork) => asEngine(engine).forkSession(session, fork),
    sessionCut: async (engine, session, tokens) => asEngine(engine).cutSession(session, tokens),
    sessionForget: async (engine, session) => void asEngine(engine).sessions.delete(session),
    sessionSave: async (engine, session) => asEngine(engine).saveSession(session),
    sessionRestore: async (engine, session, _root, snapshot) => asEngine(engine).restoreSession(session, snapshot),
    quantize: unused,
    projectorLoad: unused,
    projectorInfo: unused,
    projectorStats: unused,
    projectorClose: unused,
    mediumEncode: unused,
    mediumTokens: unused,
    mediumRelease: unused,
    compileGrammar: async () => undefined,
    grammarAllows: unused,
    grammarStats: unused,
    planStep: unused,
    learnPace: unused,
    prefillBudget: unused,
    briefBudget: unused,
    briefSize: unused,
    sliceMs: unused,
    nextThreads: unused,
    assembleText: unused,
    findNgram: unused,
    learnMatch: unused,
    learnLead: unused,
    fadeLeads: unused,
    leadChance: unused,
    learnStep: unused,
    draftLength: unused,
  }
}

const noCache = {
  cellsCached: 0,
  cachedTokens: 0,
  draftTokens: 0,
  acceptedTokens: 0,
  draftModelSteps: 0,
  draftModelMs: 0,
  evictions: 0,
  cellHits: 0,
  checkpointHits: 0,
  memoryHits: 0,
  snapshotsSaved: 0,
  snapshotsDropped: 0,
  snapshots: 0,
  snapshotBytes: 0,
  diskHits: 0,
  diskFiles: 0,
  diskBytes: 0,
}

const defaultInfo: NativeModelInfo = {
  description: 'fake',
  architecture: 'llama',
  parameters: 1,
  sizeBytes: 1,
  vocabularySize,
  trainedContextSize: 16_384,
  embeddingSize: 3,
  layers: 1,
  gpuLayers: 0,
  hasEncoder: false,
  hasDecoder: true,
  isRecurrent: false,
  isHybrid: false,
  slidingWindow: 0,
  bosToken,
  eosToken,
  fimPrefixToken: -1,
  fimSuffixToken: -1,
  fimMiddleToken: -1,
  sepToken: -1,
  addsBos: true,
  addsEos: false,
  addsSep: false,
  chatTemplate: '',
  metadata: {},
}

const plainTemplate = {
  source: '',
  supportsSystemRole: true,
  supportsTools: false,
  supportsToolCalls: false,
  supportsParallelToolCalls: false,
  supportsThinking: false,
  requiresTypedContent: false,
}

const plainPrompt = {
  grammar: { grammar: '', lazy: false, triggers: [], prefix: '' },
  preservedTokens: new Int32Array(),
  stops: [],
  format: {} as NativeChatFormat,
  isPlain: true,
}

function renderChatMl({ messagesJson, addGenerationPrompt }: NativeChatInput): NativeTextPart[] {
  const messages = JSON.parse(messagesJson) as readonly Message[]
  const parts = messages.flatMap(({ role, content }) => {
    if (content === 'raise') throw new Error('the template raised an exception')
    return [
      { text: `<|im_start|>${role}\n`, trusted: true },
      { text: content, trusted: false },
      { text: '<|im_end|>\n', trusted: true },
    ]
  })
  return addGenerationPrompt ? [...parts, { text: '<|im_start|>assistant\n', trusted: true }] : parts
}
