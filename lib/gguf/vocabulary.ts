import { invalidModel, quoted, unsupportedModel } from './fault.js'
import { readBool, readNumbers, readString, readStrings, readU32, required } from './field.js'
import type { GgufFile } from './gguf-file.js'
import type { GgufStrings } from './string-array.js'

/** A tokenizer of llama.cpp and the special ids that it takes when the file names none. */
interface Tokenizer {
  readonly kind: 'spm' | 'bpe' | 'wpm' | 'ugm' | 'other'
  readonly bos?: number
  readonly eos?: number
  readonly unknown?: number
  readonly separator?: number
  /** Whether BOS is put before a text unless the file says otherwise. */
  readonly addsBos: boolean
  readonly addsEos: boolean
}

/** By the value of `tokenizer.ggml.model`, after `llama_vocab::impl::load` at the pinned version. */
const tokenizers: Readonly<Record<string, Tokenizer>> = {
  __proto__: null as never,
  llama: { kind: 'spm', bos: 1, eos: 2, unknown: 0, addsBos: true, addsEos: false },
  bert: { kind: 'wpm', bos: 101, unknown: 100, separator: 102, addsBos: true, addsEos: false },
  gpt2: { kind: 'bpe', bos: 11, eos: 11, addsBos: false, addsEos: false },
  hybriddna: { kind: 'bpe', bos: 11, eos: 11, addsBos: false, addsEos: false },
  whitespace: { kind: 'bpe', bos: 11, eos: 11, addsBos: false, addsEos: false },
  gemma4: { kind: 'bpe', addsBos: true, addsEos: false },
  t5: { kind: 'ugm', eos: 1, unknown: 2, addsBos: false, addsEos: true },
  rwkv: { kind: 'other', addsBos: false, addsEos: false },
  test: { kind: 'other', addsBos: false, addsEos: false },
  plamo2: { kind: 'other', bos: 1, eos: 2, unknown: 0, addsBos: false, addsEos: false },
}

/** `LLAMA_TOKEN_TYPE_BYTE` */
const byteToken = 6

const ggml = (name: string) => `tokenizer.ggml.${name}`

/** Holds the vocabulary against what llama.cpp asserts at load, at the first tokenise and at the first decode. */
export function checkVocabulary(file: GgufFile): void {
  const model = required(readString(file, ggml('model')), ggml('model'))
  if (model === 'none' || model === 'no_vocab') {
    throw unsupportedModel('it has no tokenizer, so text cannot be given to it.', { key: ggml('model') })
  }
  const tokenizer = tokenizers[model]
  if (tokenizer === undefined) {
    throw unsupportedModel(`its tokenizer ${quoted(model)} is not known to this version of llama.cpp.`, {
      key: ggml('model'),
    })
  }
  const pre = readString(file, ggml('pre'))
  const tokens = required(readStrings(file, ggml('tokens')), ggml('tokens'))
  if (tokens.length < 2) {
    throw invalidModel(`its vocabulary has ${tokens.length} tokens; 2 are the least.`, { key: ggml('tokens') })
  }
  const ids = distinctTokens(tokens)
  checkTypes(file, tokenizer, tokens)
  checkScores(file, tokens.length)
  if (tokenizer.kind === 'bpe') checkMerges(file, pre)
  if (tokenizer.kind === 'spm' || model === 'plamo2') checkBytes(ids, tokenizer.kind === 'spm')
  if (tokenizer.kind === 'ugm') checkCharsmap(file)
  checkSpecialTokens(file, model, tokenizer, tokens.length)
}

/** Ids by text, as llama.cpp sees it: cut at a zero byte, with a made-up name for the empty text. */
function distinctTokens(tokens: GgufStrings): Set<string> {
  const seen = new Set<string>()
  for (let id = 0; id < tokens.length; id++) {
    const bytes = tokens.bytesAt(id)
    const zero = bytes.indexOf(0)
    const text = bytes.toString('latin1', 0, zero === -1 ? bytes.length : zero) || `[EMPTY_${id}]`
    if (seen.has(text)) {
      throw invalidModel(`its vocabulary has the token ${quoted(tokens.at(id) ?? '')} twice, also as id ${id}.`, {
        key: ggml('tokens'),
        id,
      })
    }
    seen.add(text)
  }
  return seen
}

function checkTypes(file: GgufFile, tokenizer: Tokenizer, tokens: GgufStrings): void {
  const key = ggml('token_type')
  const types = readNumbers(file, key, ['int32'])
  if (types === undefined) return
  checkLength(key, types.length, tokens.length)
  if (tokenizer.kind === 'other') return
  for (let id = 0; id < tokens.length; id++) {
    if (types[id] !== byteToken) continue
    const text = tokens.at(id) ?? ''
    if (tokenizer.kind === 'wpm' || !/^<0x[0-9A-Fa-f]{2}>$/.test(text)) {
      throw invalidModel(
        `the token ${quoted(text)}, id ${id}, is marked as a byte; a text such as <0x0A> was expected.`,
        {
          key,
          id,
        },
      )
    }
  }
}

function checkScores(file: GgufFile, count: number): void {
  const key = ggml('scores')
  const scores = readNumbers(file, key, ['float32', 'int32'])
  if (scores === undefined) return
  checkLength(key, scores.length, count)
  if (scores instanceof Float32Array && scores.some(Number.isNaN)) {
    throw invalidModel(`${quoted(key)} holds a value that is no number.`, { key })
  }
}

function checkLength(key: string, length: number, tokens: number): void {
  if (length < tokens) throw invalidModel(`${quoted(key)} has ${length} entries for ${tokens} tokens.`, { key })
}

function checkMerges(file: GgufFile, pre: string | undefined): void {
  const key = ggml('merges')
  const merges = readStrings(file, key)
  if (merges === undefined && pre === 'kimi-k2') return
  const list = required(merges, key)
  for (let index = 0; index < list.length; index++) {
    const bytes = list.bytesAt(index)
    if (bytes.indexOf(0x20, 1) === -1) {
      throw invalidModel(
        `the merge ${quoted(list.at(index) ?? '')}, number ${index}, has no space between its two parts.`,
        {
          key,
          index,
        },
      )
    }
  }
}

/** A text outside the vocabulary is spelt in bytes; without a token for one of them llama.cpp throws. */
function checkBytes(texts: ReadonlySet<string>, plainBytesToo: boolean): void {
  for (let byte = 0; byte < 256; byte++) {
    const name = `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
    if (!texts.has(name) && !(plainBytesToo && texts.has(String.fromCharCode(byte)))) {
      throw invalidModel(`its vocabulary has no token for the byte ${name}; all 256 are needed.`, {
        key: ggml('tokens'),
      })
    }
  }
}

function checkCharsmap(file: GgufFile): void {
  const key = ggml('precompiled_charsmap')
  const map = readNumbers(file, key, ['uint8', 'int8'])
  if (map === undefined) return
  const bytes = new DataView(map.buffer, map.byteOffset, map.byteLength)
  if (map.length < 4 || bytes.getUint32(0, true) + 4 >= map.length) {
    throw invalidModel(`${quoted(key)} has ${map.length} bytes, fewer than it claims itself.`, { key })
  }
}

function checkSpecialTokens(file: GgufFile, model: string, tokenizer: Tokenizer, count: number): void {
  // Padding, mask and infill ids beyond the vocabulary stand in well-known files; llama.cpp ignores them.
  const special = (name: string, standard: number | undefined) => {
    const id = readU32(file, ggml(`${name}_token_id`))
    if (id !== undefined && id >= count) {
      throw invalidModel(`${quoted(ggml(`${name}_token_id`))} is ${id}, but the vocabulary has ${count} tokens.`, {
        key: ggml(`${name}_token_id`),
        id,
      })
    }
    return id ?? (standard !== undefined && standard < count ? standard : undefined)
  }
  const bos = special('bos', tokenizer.bos)
  const eos = special('eos', tokenizer.eos)
  special('eot', undefined)
  const unknown = special('unknown', tokenizer.unknown)
  const separator = special('seperator', tokenizer.separator)
  const addsBos = readBool(file, ggml('add_bos_token')) ?? tokenizer.addsBos
  const addsEos = readBool(file, ggml('add_eos_token')) ?? tokenizer.addsEos
  const forced = tokenizer.kind === 'wpm' || model === 'gemma4'
  const missing =
    (bos === undefined && (addsBos || forced) && 'bos') ||
    (eos === undefined && addsEos && tokenizer.kind !== 'wpm' && 'eos') ||
    (separator === undefined && tokenizer.kind === 'wpm' && 'seperator') ||
    (unknown === undefined && (tokenizer.kind === 'wpm' || tokenizer.kind === 'ugm') && 'unknown')
  if (missing !== false) {
    throw invalidModel(
      `its tokenizer puts the ${missing} token into texts, but ${quoted(ggml(`${missing}_token_id`))} is missing.`,
      { key: ggml(`${missing}_token_id`) },
    )
  }
}
