import type { NativeNews } from '../native-types.js'
import type { Logprobs, Result, TextPart, TokenLogprob } from './part.js'

interface Output {
  /** The text part that the news makes, if its text is not held back. */
  add(news: NativeNews): TextPart | undefined
  result(): Pick<Result, 'text' | 'message' | 'tokens' | 'logprobs'>
}

/** Collects what a generation puts out. Tokens without text wait for the next text, so that no part is empty. */
export function collectOutput(): Output {
  const runs: Int32Array[] = []
  let logprobs: (readonly TokenLogprob[])[] | undefined
  let text = ''
  let heldRuns = 0
  let heldLogprobs = 0

  return {
    add(news) {
      if (news.tokens.length > 0) runs.push(news.tokens)
      if (news.logprobs !== undefined) (logprobs ??= []).push(...news.logprobs)
      if (news.text === '') return undefined
      text += news.text
      const tokens = runs.length === heldRuns + 1 ? news.tokens : concatenate(runs.slice(heldRuns))
      heldRuns = runs.length
      if (logprobs === undefined) return { type: 'text', text: news.text, tokens }
      const own: Logprobs = logprobs.slice(heldLogprobs)
      heldLogprobs = logprobs.length
      return { type: 'text', text: news.text, tokens, logprobs: own }
    },
    result: () => ({
      text,
      message: { role: 'assistant', content: text },
      tokens: concatenate(runs),
      ...(logprobs === undefined ? {} : { logprobs }),
    }),
  }
}

function concatenate(runs: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(runs.reduce((sum, run) => sum + run.length, 0))
  let at = 0
  for (const run of runs) {
    all.set(run, at)
    at += run.length
  }
  return all
}
