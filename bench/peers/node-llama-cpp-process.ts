/** Runs node-llama-cpp in a process of its own, so that neither library's native code is in the other's way. */
import type { PeerMessage, PeerRequest, PeerSetting, PeerStreams } from './node-llama-cpp.js'

/** The part of its interface that is used; it is no dependency, so its types are not at hand. */
interface Peer {
  readonly LlamaLogLevel: { readonly error: string }
  getLlama(options: { gpu: false; build: 'never'; logLevel: string }): Promise<{
    readonly systemInfo: string
    loadModel(options: { modelPath: string }): Promise<PeerModel>
  }>
}

interface PeerModel {
  createContext(options: {
    contextSize: number
    sequences: number
    threads: number
    flashAttention: boolean
  }): Promise<{
    getSequence(): PeerSequence
  }>
  detokenize(tokens: readonly number[]): string
}

interface PeerSequence {
  clearHistory(): Promise<void>
  evaluate(tokens: readonly number[], options: { temperature: number; yieldEogToken: boolean }): AsyncIterable<number>
}

const setting = JSON.parse(process.argv[2]!) as PeerSetting

try {
  const peer = (await import(setting.entry)) as Peer
  const llama = await peer.getLlama({ gpu: false, build: 'never', logLevel: peer.LlamaLogLevel.error })
  const model = await llama.loadModel({ modelPath: setting.modelPath })
  const { threads, sequences: count, contextSize } = setting
  const context = await model.createContext({ contextSize, sequences: count, threads, flashAttention: true })
  const sequences = Array.from({ length: count }, () => context.getSequence())
  process.on('message', (request: PeerRequest | PeerStreams) => {
    const reading = 'prompts' in request ? decodeAll(model, sequences, request) : decode(model, sequences[0]!, request)
    reading.then(
      (tokensPerSecond) => tell({ tokensPerSecond }),
      (error: unknown) => tell({ error: String(error) }),
    )
  })
  tell({ ready: `${setting.threads} threads, flash attention on, ${llama.systemInfo.trim()}` })
} catch (error) {
  tell({ error: String(error) })
}

/** The leanest way that its interface has: `evaluate`, token by token, each turned into text. */
async function decode(
  model: PeerModel,
  sequence: PeerSequence,
  { prompt, generate }: PeerRequest,
  clear = true,
): Promise<number> {
  if (clear) await sequence.clearHistory()
  let firstAt = 0
  let tokens = 0
  let text = ''
  for await (const token of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    text += model.detokenize([token])
    if (tokens++ === 0) firstAt = performance.now()
    if (tokens > generate) break
  }
  if (text === '') throw new Error('It produced no text.')
  return (generate / (performance.now() - firstAt)) * 1000
}

async function decodeAll(model: PeerModel, sequences: readonly PeerSequence[], request: PeerStreams): Promise<number> {
  const { prompts, generate } = request
  await Promise.all(sequences.map((sequence) => sequence.clearHistory()))
  const startedAt = performance.now()
  await Promise.all(prompts.map((prompt, index) => decode(model, sequences[index]!, { prompt, generate }, false)))
  return ((prompts.length * generate) / (performance.now() - startedAt)) * 1000
}

function tell(message: PeerMessage): void {
  process.send?.(message)
}
