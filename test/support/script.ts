/**
 * What the scripted model says. A prompt holds key tokens `K0` to `K9`; each key has a cycle of tokens. After a token
 * of a key's cycle comes the next one of it, after any other token its first. Keys vote by their share of all keys in
 * the sequence so far, wherever they stand, so an answer shows what the KV cache holds. Without a key: question marks.
 */
export interface Cycle {
  /** Tokens as bytes, no two alike. */
  readonly tokens: readonly Buffer[]
  /** Whether the cycle closes; else the model ends its answer after the last token. */
  readonly closes: boolean
}

const letters = [...'abcdefghijklmnopqrstuvwxyz']

/** Letters beginning at the key's own, `step` apart. */
function alphabet(first: number, step: number): Cycle {
  return {
    tokens: letters.map((_, index) => Buffer.from(letters[(first + index * step) % 26] ?? '')),
    closes: true,
  }
}

const hex = (...pieces: string[]) => pieces.map((piece) => Buffer.from(piece, 'hex'))

/** By key: 0 to 6 letters, 7 an emoji byte by byte, 8 characters cut and joined across tokens, 9 ten digits and an end. */
export const cycles: readonly Cycle[] = [
  ...[1, 3, 5, 7, 9, 11, 15].map((step, key) => alphabet(key, step)),
  { tokens: hex('f0', '9f', '99', '82'), closes: true },
  // An emoji in two halves with a letter, a euro sign 2 + 1, a letter with the first half of an accented one, its second.
  { tokens: hex('f09f', '998278', 'e282', 'ac', '79c3', 'a9'), closes: true },
  { tokens: [...'0123456789'].map((digit) => Buffer.from(digit)), closes: false },
]

export const keyToken = (key: number) => `K${key}`
export const noKeyToken = Buffer.from('?')
/** What ends an answer. */
export const endToken = Buffer.from('<|im_end|>')

/** Weights of the three rules in the vote, relative to one another. */
export const weights = { follow: 1, begin: 0.3, none: 0.01 } as const

/** Votes for each next token (latin1 of its bytes), given the shares of the keys and the last token. */
export function votes(shares: readonly number[], last: Buffer): Map<string, number> {
  const found = new Map<string, number>([[noKeyToken.toString('latin1'), weights.none]])
  const vote = (token: Buffer, weight: number) => {
    const name = token.toString('latin1')
    found.set(name, (found.get(name) ?? 0) + weight)
  }
  for (const [key, cycle] of cycles.entries()) {
    const share = shares[key] ?? 0
    if (share === 0) continue
    const at = cycle.tokens.findIndex((token) => token.equals(last))
    if (at !== -1) vote(following(cycle, at), share * weights.follow)
    vote(cycle.tokens[0] ?? endToken, share * weights.begin)
  }
  return found
}

/** What follows the token at `index` of a cycle. */
export function following(cycle: Cycle, index: number): Buffer {
  const next = cycle.tokens[index + 1]
  return next ?? (cycle.closes ? (cycle.tokens[0] ?? endToken) : endToken)
}

export interface Prediction {
  /** Bytes of each token, without the one that ends the answer. */
  readonly pieces: readonly Buffer[]
  /** The pieces as text; a character cut off at the end is U+FFFD. */
  readonly text: string
  readonly finishReason: 'stop' | 'length'
}

export interface PredictOptions {
  readonly maxTokens: number
  /** The end token is banned; the next best follows. */
  readonly ignoreEos?: boolean
}

/** What the scripted model answers to a rendered prompt under greedy sampling; throws where two tokens nearly tie. */
export function predict(prompt: string, options: PredictOptions): Prediction {
  const shares = keyShares(prompt)
  const pieces: Buffer[] = []
  let last = lastToken(prompt)
  let finishReason: Prediction['finishReason'] = 'length'
  while (pieces.length < options.maxTokens) {
    const next = winner(votes(shares, last), options.ignoreEos === true)
    if (next.equals(endToken)) {
      finishReason = 'stop'
      break
    }
    pieces.push(next)
    last = next
  }
  return { pieces, text: Buffer.concat(pieces).toString('utf8'), finishReason }
}

/** The prompt that the chat template makes of messages. */
export function renderChat(messages: readonly { readonly role: string; readonly content: unknown }[]): string {
  const turns = messages.map(({ role, content }) => `<|im_start|>${role}\n${String(content)}<|im_end|>\n`)
  return `${turns.join('')}<|im_start|>assistant\n`
}

function keyShares(prompt: string): number[] {
  const keys = [...prompt.matchAll(/K(\d)/g)].map(([, digit]) => Number(digit))
  return cycles.map((_, key) => (keys.length === 0 ? 0 : keys.filter((found) => found === key).length / keys.length))
}

function lastToken(prompt: string): Buffer {
  const key = /K\d$/.exec(prompt)?.[0]
  if (key !== undefined) return Buffer.from(key)
  const bytes = Buffer.from(prompt)
  return bytes.subarray(Math.max(bytes.length - 1, 0))
}

function winner(found: ReadonlyMap<string, number>, withoutEnd: boolean): Buffer {
  const order = [...found]
    .filter(([token]) => !(withoutEnd && token === endToken.toString('latin1')))
    .sort((a, b) => b[1] - a[1])
  const [best, second] = order
  if (best === undefined) throw new Error('no token has a vote')
  if (second !== undefined && second[1] > best[1] * 0.98)
    throw new Error('the keys of this prompt tie; use other counts')
  return Buffer.from(best[0], 'latin1')
}
