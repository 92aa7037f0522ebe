import { LlameroError } from '../errors.js'
import { safeText } from './safe-text.js'

/** What `process.stdout` and `process.stderr` have in common with the streams of tests. */
export type OutputStream = NodeJS.WritableStream & { readonly columns?: number; readonly rows?: number }

/** What is at the other end. */
export type OutputAbilities = Pick<Output, 'isTerminal' | 'canRedraw'>

const usualColumns = 80
const usualRows = 24
const goneReader = ['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END']

/** Standard output or standard error. */
export class Output {
  /** Whether a person looks at it, so that control characters would be obeyed. */
  readonly isTerminal: boolean
  /** Whether what is written can be taken back. */
  readonly canRedraw: boolean
  readonly #stream: OutputStream
  #isClosed = false
  #last: Promise<void> = Promise.resolve()

  constructor(stream: OutputStream, { isTerminal, canRedraw }: OutputAbilities) {
    this.#stream = stream
    this.isTerminal = isTerminal
    this.canRedraw = canRedraw
    // Each write learns of its own failure; without a listener the stream would end the process.
    stream.on('error', () => undefined)
  }

  get columns(): number {
    return this.#stream.columns || usualColumns
  }

  get rows(): number {
    return this.#stream.rows || usualRows
  }

  /** Whether the reader has left, as `head` does. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Writes text or bytes as they are; settles once the system has taken them. */
  write(content: string | Uint8Array): Promise<void> {
    const writing = new Promise<void>((resolve, reject) => {
      this.#stream.write(content, (error) => (error ? reject(this.#failure(error)) : resolve()))
    })
    this.#last = writing.catch(() => undefined)
    return writing
  }

  /** Writes text that may come from elsewhere; on a terminal without control characters. */
  print(text: string): Promise<void> {
    return this.write(this.isTerminal ? safeText(text) : text)
  }

  /** Settles once everything is written or lost. */
  flush(): Promise<void> {
    return this.#last
  }

  #failure(error: NodeJS.ErrnoException): LlameroError {
    if (goneReader.includes(error.code ?? '')) this.#isClosed = true
    const code = error.code === 'ENOSPC' ? 'ERR_DISK_FULL' : 'ERR_STORE'
    return new LlameroError(code, `The output could not be written: ${error.message}.`, { cause: error })
  }
}
