import { LlameroError } from '../../lib/errors.js'
import type {
  NativeEngineOptions,
  NativeFinishReason,
  NativeNews,
  NativeRequest,
  NativeSnapshot,
} from '../../lib/native-types.js'
import { eosToken, pieceOf } from './fake-vocabulary.js'

/** The tokens that follow a prompt; the answer ends with the end token or with the list. */
export type Script = (prompt: Int32Array) => readonly number[]

interface Sequence {
  readonly id: number
  readonly request: NativeRequest
  readonly answer: readonly number[]
  readonly decoder: InstanceType<typeof TextDecoder>
  produced: number
  acknowledged: number
  held: string
  cancelled: boolean
}

/** The engine of the native contract over a scripted token stream: one token per running sequence and step. */
export class FakeEngine {
  readonly cancelled: number[] = []
  readonly acknowledgements: (readonly [id: number, tokens: number])[] = []
  readonly requests: NativeRequest[] = []
  /** Tokens that are kept, by session. */
  readonly sessions = new Map<number, readonly number[]>()
  steps = 0
  outputTokens = 0
  deliveries = 0
  closed = false
  /** Ends the next submitted request with this error code. */
  failWith: string | undefined
  readonly #script: Script
  readonly #automatic: boolean
  readonly #onNews: (news: NativeNews[]) => void
  #running: Sequence[] = []
  #scheduled = false
  #nextId = 1

  constructor(
    readonly options: NativeEngineOptions,
    script: Script,
    automatic: boolean,
    onNews: (news: NativeNews[]) => void,
  ) {
    this.#script = script
    this.#automatic = automatic
    this.#onNews = onNews
  }

  get running(): number {
    return this.#running.length
  }

  get parked(): number {
    return this.#running.filter(isParked).length
  }

  submit(request: NativeRequest): number {
    if (this.closed) throw new LlameroError('ERR_DISPOSED')
    if (this.#running.length >= this.options.maxSequences + this.options.queueLimit) {
      throw new LlameroError('ERR_QUEUE_FULL')
    }
    const id = this.#nextId++
    this.requests.push(request)
    const answer = this.#script(request.tokens)
    this.#running.push({
      id,
      request,
      answer,
      decoder: new TextDecoder(),
      produced: 0,
      acknowledged: 0,
      held: '',
      cancelled: false,
    })
    this.#schedule()
    return id
  }

  cancel(id: number): void {
    this.cancelled.push(id)
    for (const sequence of this.#running) if (sequence.id === id) sequence.cancelled = true
    this.#schedule()
  }

  acknowledge(id: number, tokens: number): void {
    this.acknowledgements.push([id, tokens])
    for (const sequence of this.#running) if (sequence.id === id) sequence.acknowledged = tokens < 0 ? Infinity : tokens
    this.#schedule()
  }

  /** Runs so many steps now and delivers the news of each. */
  step(count = 1): void {
    for (let i = 0; i < count && this.#running.length > 0; i++) this.#stepOnce()
  }

  close(): void {
    this.closed = true
    this.#running = []
  }

  forkSession(session: number, fork: number): boolean {
    const kept = this.sessions.get(session)
    if (kept !== undefined) this.sessions.set(fork, kept)
    return kept !== undefined
  }

  cutSession(session: number, tokens: number): void {
    const kept = this.sessions.get(session)
    if (kept !== undefined) this.sessions.set(session, kept.slice(0, tokens))
  }

  /** The state is the tokens once more, as bytes. */
  saveSession(session: number): NativeSnapshot | undefined {
    const tokens = Int32Array.from(this.sessions.get(session) ?? [])
    if (tokens.length === 0) return undefined
    return { tokens, state: new Uint8Array(tokens.buffer.slice(0)) }
  }

  restoreSession(session: number, { tokens, state }: NativeSnapshot): void {
    if (state.length !== tokens.byteLength) throw new LlameroError('ERR_STATE_MISMATCH')
    this.sessions.set(session, [...tokens])
  }

  #cached({ session, tokens }: NativeRequest): number {
    const kept = this.sessions.get(session) ?? []
    const differing = tokens.findIndex((token, index) => token !== kept[index])
    return Math.min(differing < 0 ? tokens.length : differing, tokens.length - 1)
  }

  #schedule(): void {
    if (!this.#automatic || this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#running.some((sequence) => sequence.cancelled || !isParked(sequence))) {
        this.#stepOnce()
        this.#schedule()
      }
    })
  }

  #stepOnce(): void {
    if (this.closed) return
    const active = this.#running.slice(0, this.options.maxSequences)
    const news = active
      .filter((sequence) => sequence.cancelled || !isParked(sequence))
      .map((each) => this.#advance(each))
    this.#running = this.#running.filter(({ id }) => !news.some((item) => item.id === id && item.finish !== undefined))
    if (active.some((sequence) => !sequence.cancelled)) this.steps++
    if (news.length === 0) return
    this.deliveries++
    this.#onNews(news)
  }

  #advance(sequence: Sequence): NativeNews {
    const { id, request, answer } = sequence
    if (sequence.cancelled) return this.#finish(sequence, 'abort', '', [])
    if (this.failWith !== undefined) return this.#finish(sequence, 'error', '', [])
    if (request.maxTokens === 0) return this.#finish(sequence, 'length', '', [])
    const token = answer[sequence.produced] ?? eosToken
    sequence.produced++
    this.outputTokens++
    if (token === eosToken && !request.ignoreEos) return this.#finish(sequence, 'stop', this.#flush(sequence), [token])
    const text = sequence.held + sequence.decoder.decode(pieceOf(token), { stream: true })
    const stop = request.stop.map((each) => text.indexOf(each)).filter((at) => at >= 0)
    if (stop.length > 0) return this.#finish(sequence, 'stop', text.slice(0, Math.min(...stop)), [token])
    const held = Math.max(0, ...request.stop.map((each) => heldBack(text, each)))
    sequence.held = text.slice(text.length - held)
    const ready = text.slice(0, text.length - held)
    if (sequence.produced === request.maxTokens) {
      return this.#finish(sequence, 'length', ready + this.#flush(sequence), [token])
    }
    return {
      id,
      text: ready,
      tokens: Int32Array.of(token),
      ...this.#logprobs(request, [token]),
      ...(request.progress && sequence.produced === 1 ? { promptTokens: request.tokens.length } : {}),
    }
  }

  #logprobs({ logprobs }: NativeRequest, tokens: readonly number[]): Pick<NativeNews, 'logprobs'> {
    if (logprobs < 0) return {}
    return { logprobs: tokens.map((token) => [{ token, logprob: -0.5 }]) }
  }

  #flush(sequence: Sequence): string {
    const text = sequence.held + sequence.decoder.decode()
    sequence.held = ''
    return text
  }

  #finish(sequence: Sequence, reason: NativeFinishReason, text: string, tokens: readonly number[]): NativeNews {
    const { request, produced } = sequence
    const finish = {
      reason,
      errorCode: reason === 'error' ? (this.failWith ?? '') : '',
      errorMessage: reason === 'error' ? 'The engine was told to fail.' : '',
      inputTokens: request.tokens.length,
      cachedTokens: this.#cached(request),
      outputTokens: produced,
      draftTokens: 0,
      acceptedTokens: 0,
      queueMs: 0,
      prefillMs: 1,
      decodeMs: produced,
      ttftMs: 1,
    }
    const computed = [...request.tokens, ...sequence.answer.slice(0, Math.max(0, produced - 1))]
    if (request.session !== 0) this.sessions.set(request.session, computed)
    return { id: sequence.id, text, tokens: Int32Array.from(tokens), ...this.#logprobs(request, tokens), finish }
  }
}

function isParked({ produced, acknowledged, request }: Sequence): boolean {
  return produced - acknowledged >= request.bufferTokens
}

function heldBack(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length
  }
  return 0
}
