import { LlameroError } from '../../lib/errors.js'
import type { EmbedderAddon, NativeEmbedder, NativeEmbedRequest } from '../../lib/native-types.js'

/** What the fake was asked for. */
export interface FakeEmbedderLog {
  readonly requests: NativeEmbedRequest[]
}

interface State {
  closed: boolean
  readonly waiting: Set<(error: Error) => void>
}

/**
 * Embedding without native code: the vector of an input is its length, its first and its last token; with pooling `rank`
 * its score is its last token.
 */
export function fakeEmbedder(log: FakeEmbedderLog, calls: string[]): Omit<EmbedderAddon, 'tokenizeTexts'> {
  const asState = (embedder: NativeEmbedder): State => embedder as unknown as State
  return {
    embedderCreate() {
      calls.push('embedderCreate')
      return { closed: false, waiting: new Set() } as State as unknown as NativeEmbedder
    },
    async embedderRun(embedder, request) {
      const state = asState(embedder)
      if (state.closed) throw new LlameroError('ERR_DISPOSED')
      log.requests.push(request)
      await new Promise<void>((resolve, reject) => {
        state.waiting.add(reject)
        setImmediate(() => {
          state.waiting.delete(reject)
          if ((request.cancelFlag as unknown as { cancelled: boolean }).cancelled)
            reject(new LlameroError('ERR_CANCELLED'))
          else resolve()
        })
      })
      return Float32Array.from(vectorsOf(request))
    },
    embedderStats: () => ({ steps: log.requests.length, inputs: 0, tokens: 0, waiting: 0, computeMs: 0 }),
    async embedderClose(embedder) {
      calls.push('embedderClose')
      asState(embedder).closed = true
      for (const reject of asState(embedder).waiting) reject(new LlameroError('ERR_DISPOSED'))
    },
    packStep() {
      throw new Error('not part of the fake')
    },
  }
}

function vectorsOf({ tokens, lengths, pooling }: NativeEmbedRequest): number[] {
  let begin = 0
  return Array.from(lengths).flatMap((length) => {
    const own = tokens.subarray(begin, (begin += length))
    const last = own[length - 1]!
    if (pooling === 'none') return Array.from(own).flatMap((token) => [1, token, token])
    return pooling === 'rank' ? [last] : [length, own[0]!, last]
  })
}
