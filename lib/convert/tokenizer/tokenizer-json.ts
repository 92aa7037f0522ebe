import { invalidSource, quoted } from '../fault.js'
import { Fields } from '../json.js'
import { limits } from '../limits.js'
import type { AddedToken } from './token-table.js'

/** A `tokenizer.json` of Hugging Face's tokenizers library. */
export interface TokenizerJson {
  readonly model: Fields
  /** `BPE`, `WordPiece`, `Unigram` or `WordLevel`. */
  readonly type: string
  /** Whether bytes outside the vocabulary become tokens such as `<0x0A>`, as SentencePiece has them. */
  readonly byteFallback: boolean
  readonly added: readonly AddedToken[]
  /** The steps of each stage, sequences laid out flat. */
  readonly normalizer: readonly Fields[]
  readonly preTokenizer: readonly Fields[]
  readonly postProcessor: readonly Fields[]
}

/** Takes the document apart. */
export function readTokenizerJson(document: Fields): TokenizerJson {
  const model = document.required('model', document.object('model'))
  return {
    model,
    // Files of old libraries leave the type out where the parts tell it.
    type: model.string('type') ?? (model.raw('merges') === undefined ? 'WordPiece' : 'BPE'),
    byteFallback: model.boolean('byte_fallback') ?? false,
    added: (document.array('added_tokens') ?? []).map(readAdded),
    normalizer: steps(document.object('normalizer'), 'normalizers'),
    preTokenizer: steps(document.object('pre_tokenizer'), 'pretokenizers'),
    postProcessor: steps(document.object('post_processor'), 'processors'),
  }
}

function readAdded(value: unknown): AddedToken {
  const fields = new Fields(value, 'an added token')
  return {
    id: fields.required('id', fields.integer('id')),
    text: fields.required('content', fields.string('content')),
    special: fields.boolean('special') ?? false,
  }
}

/** The nesting of a document is limited, and so is this. */
function steps(stage: Fields | undefined, list: string): Fields[] {
  if (stage === undefined) return []
  if (stage.string('type') !== 'Sequence') return [stage]
  return (stage.array(list) ?? []).flatMap((step) => steps(new Fields(step, stage.name), list))
}

/** Texts with their ids, of a vocabulary that is an object. */
export function vocabularyOf({ model }: TokenizerJson): [text: string, id: number][] {
  const entries = model.required('vocab', model.object('vocab')).entries()
  if (entries.length > limits.tokens) throw invalidSource(`its vocabulary has ${entries.length} tokens.`)
  return entries.map(([text, id]) => {
    if (typeof id !== 'number') throw invalidSource(`the token ${quoted(text)} has no number for an id.`)
    return [text, id]
  })
}

/** The pairs that are merged, the earliest first; written as pairs, or in older files with a space between. */
export function mergesOf({ model }: TokenizerJson): (readonly [first: string, second: string])[] {
  return model.required('merges', model.array('merges')).map((merge, index) => {
    const pair: unknown = typeof merge === 'string' ? splitMerge(merge) : merge
    if (Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === 'string' && part !== '')) {
      return pair as unknown as readonly [string, string]
    }
    throw invalidSource(`merge ${index} of its vocabulary is no pair of texts.`, { index })
  })
}

function splitMerge(merge: string): string[] {
  const space = merge.indexOf(' ', 1)
  return space === -1 ? [] : [merge.slice(0, space), merge.slice(space + 1)]
}
