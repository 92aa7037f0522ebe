import { quoted, unsupportedSource } from '../fault.js'
import type { Fields } from '../json.js'
import type { TokenizerJson } from './tokenizer-json.js'

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const cased = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+' // a word that ends in small letters
const capitals = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*' // a word that begins with capitals
const before = '[^\\r\\n\\p{L}\\p{N}]?'
const blanks = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'
const symbols = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*'
const symbolsAndSlashes = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*'

/**
 * How texts are cut into words before merging: the way as {@link describe} writes it, and llama.cpp's names for it, the
 * second where a word that is a token stays whole whatever the merges say (`ignore_merges`).
 */
const ways: readonly { readonly way: string; readonly name?: string; readonly wholeWords?: string }[] = [
  { way: 'ByteLevel', name: 'gpt-2' },
  { way: 'Digits:1 ByteLevel', name: 'smollm' },
  {
    way: `Split:${contractions}|${before}\\p{L}+|\\p{N}{1,3}|${symbols}|${blanks}`,
    name: 'smaug-bpe',
    wholeWords: 'llama-bpe',
  },
  {
    way: "Split:'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
    name: 'dbrx',
  },
  { way: `Split:${contractions}|${before}\\p{L}+|\\p{N}|${symbols}|${blanks}`, name: 'qwen2' },
  {
    way: `Split:${contractions}|${before}[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${blanks}`,
    name: 'qwen35',
  },
  {
    way: `Split:${before}${cased}|${before}${capitals}|\\p{N}|${symbolsAndSlashes}|${blanks}`,
    wholeWords: 'tekken',
  },
  {
    way: `Split:${before}${cased}${contractions}?|${before}${capitals}${contractions}?|\\p{N}{1,3}|${symbolsAndSlashes}|${blanks}`,
    name: 'gpt-4o',
  },
  {
    way: `Split:${contractions}|${before}(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+`,
    name: 'exaone-moe',
  },
]

/**
 * llama.cpp's name for the way in which a byte-level tokenizer cuts texts into words. Only what cuts exactly alike has a
 * name here: another way would give other tokens without a word.
 */
export function preTokenizerName(tokenizer: TokenizerJson): string {
  const way = tokenizer.preTokenizer
    .map(describe)
    .filter((step) => step !== '')
    .join(' ')
  const wholeWords = tokenizer.model.boolean('ignore_merges') ?? false
  const found = ways.find((known) => known.way === way)
  const name = wholeWords ? found?.wholeWords : found?.name
  if (name !== undefined) return name
  throw unsupportedSource(
    `its tokenizer cuts texts into words in a way that is not known here: ${quoted(way)}` +
      `${wholeWords ? ', with whole words first' : ''}.`,
    { preTokenizer: way.slice(0, 1000), wholeWords },
  )
}

/** A step in one word; '' for one that changes nothing. */
function describe(step: Fields): string {
  const type = step.string('type') ?? ''
  if (type === 'ByteLevel') {
    if (step.boolean('add_prefix_space') === true) return 'ByteLevel:space'
    // Behind a Split it only renames bytes.
    return step.boolean('use_regex') === false ? '' : 'ByteLevel'
  }
  if (type === 'Digits') return step.boolean('individual_digits') === true ? 'Digits:1' : 'Digits'
  if (type !== 'Split') return type
  const pattern = step.object('pattern')
  const text = pattern?.string('Regex') ?? pattern?.string('String') ?? ''
  const whole = step.string('behavior') === 'Isolated' && step.boolean('invert') !== true
  const inverted = step.string('behavior') === 'Removed' && step.boolean('invert') === true
  return whole || inverted ? `Split:${text}` : `Split(${step.string('behavior') ?? ''}):${text}`
}
