import { quoted, unsupportedSource } from '../fault.js'
import { bool, f32s, text, type Entries } from '../metadata.js'
import { TokenTable, tokenTypes } from './token-table.js'
import { mergesOf, vocabularyOf, type TokenizerJson } from './tokenizer-json.js'
import type { Vocabulary } from './vocabulary.js'

export const spaceMark = '▁'

/** Of a token that no merging makes. */
const leastScore = -1e9

/**
 * BPE over characters with tokens for bytes: a SentencePiece model that was rewritten as tokenizer.json, as Llama 2,
 * Mistral, Gemma and Phi 3 have it. llama.cpp merges whatever two neighbours make a token, the one of the best score
 * first, so the order of the merges becomes the scores.
 */
export function byteFallbackVocabulary(tokenizer: TokenizerJson, size: number): Vocabulary {
  const addsSpace = readsSpaces(tokenizer)
  const table = new TokenTable(size)
  const unknown = tokenizer.model.string('unk_token')
  const vocabulary = vocabularyOf(tokenizer)
  for (const [token, id] of vocabulary) {
    const byte = /^<0x[0-9A-Fa-f]{2}>$/.test(token)
    table.put(id, token, byte ? tokenTypes.byte : token === unknown ? tokenTypes.unknown : tokenTypes.normal)
  }
  const scores = scoresOf(tokenizer, new Map(vocabulary), size)
  for (const token of tokenizer.added) if (token.text !== unknown) table.add(token, spaceMark)
  const entries: Entries = {
    'tokenizer.ggml.model': text('llama'),
    'tokenizer.ggml.pre': text('default'),
    ...table.entries(),
    'tokenizer.ggml.scores': f32s(scores),
    'tokenizer.ggml.add_space_prefix': bool(addsSpace),
  }
  return { table, entries, addsBos: true }
}

/** Whether a space is put before a text; the two ways in which such files say so. */
function readsSpaces({ normalizer, preTokenizer }: TokenizerJson): boolean {
  let adds = false
  for (const step of [...normalizer, ...preTokenizer]) {
    const type = step.string('type')
    const pattern = step.object('pattern')?.string('String')
    if (type === 'Prepend' && step.string('prepend') === spaceMark) adds = true
    else if (type === 'Metaspace' && step.boolean('split') === false) {
      const scheme = step.string('prepend_scheme') ?? (step.boolean('add_prefix_space') === false ? 'never' : 'always')
      adds = scheme !== 'never'
    } else if (!((type === 'Replace' && step.string('content') === spaceMark) || type === 'Split') || pattern !== ' ') {
      throw unsupportedSource(`its tokenizer changes texts by ${type} before it cuts them.`)
    }
  }
  return adds
}

function scoresOf(tokenizer: TokenizerJson, ids: ReadonlyMap<string, number>, size: number): Float32Array {
  const scores = new Float32Array(size).fill(leastScore)
  const merges = mergesOf(tokenizer)
  const known = new Set(merges.map(([first, second]) => `${first} ${second}`))
  const seen = new Set<string>()
  for (const [rank, [first, second]] of merges.entries()) {
    const whole = first + second
    const id = ids.get(whole)
    if (id === undefined || seen.has(whole)) continue
    seen.add(whole)
    scores[id] = -rank
    for (const [left, right] of splits(whole)) {
      if (ids.has(left) && ids.has(right) && !known.has(`${left} ${right}`)) {
        throw unsupportedSource(
          `its tokenizer makes ${quoted(whole)} of some neighbours but not of ${quoted(left)} and ${quoted(right)}, ` +
            'which no SentencePiece model does; put its tokenizer.model into the folder.',
        )
      }
    }
  }
  return scores
}

/** All ways to cut a text in two between its characters. */
function* splits(whole: string): Generator<readonly [string, string]> {
  const characters = Array.from(whole)
  let at = 0
  for (const character of characters.slice(0, -1)) {
    at += character.length
    yield [whole.slice(0, at), whole.slice(at)]
  }
}
