import { Fields } from '../json.js'
import { bool, optional, u32, type Entries } from '../metadata.js'
import type { TokenizerJson } from './tokenizer-json.js'
import type { Vocabulary } from './vocabulary.js'

/** Hugging Face's word for each role, and llama.cpp's. */
const roles = {
  bos: 'bos',
  eos: 'eos',
  unk: 'unknown',
  sep: 'seperator',
  pad: 'padding',
  mask: 'mask',
} as const

type Role = keyof typeof roles | 'cls'

/** Which tokens have a role, and which of them are put around texts. */
export function specialTokens(
  { table, addsBos }: Vocabulary,
  tokenizer: TokenizerJson | undefined,
  tokenizerConfig: Fields,
  config: Fields,
): Entries {
  const idOf = (role: Role): number | undefined => {
    const named = textOf(tokenizerConfig.raw(`${role}_token`))
    const id = (named === undefined ? undefined : table.idOf(named)) ?? numberOf(config.raw(`${role}_token_id`))
    return id !== undefined && id < table.size ? id : undefined
  }
  const around = tokenizer === undefined ? undefined : aroundTexts(tokenizer)
  const first = around?.first === undefined ? undefined : table.idOf(around.first)
  const last = around?.last === undefined ? undefined : table.idOf(around.last)
  const named = { bos: idOf('bos') ?? idOf('cls'), eos: idOf('eos') ?? idOf('sep') }
  const ids: Partial<Record<Role, number | undefined>> = {
    bos: first ?? named.bos,
    eos: last ?? named.eos,
    unk: idOf('unk'),
    sep: idOf('sep'),
    pad: idOf('pad'),
    mask: idOf('mask'),
  }
  const entries = Object.entries(roles).map(([role, name]) => [
    `tokenizer.ggml.${name}_token_id`,
    optional(u32, ids[role as Role]),
  ])
  const adds = {
    bos: around === undefined ? (tokenizerConfig.boolean('add_bos_token') ?? addsBos) : first !== undefined,
    eos: around === undefined ? (tokenizerConfig.boolean('add_eos_token') ?? false) : last !== undefined,
  }
  return {
    ...(Object.fromEntries(entries) as Entries),
    // The token that ends a turn, where another one ends texts.
    'tokenizer.ggml.eot_token_id': last === undefined || last === named.eos ? undefined : optional(u32, named.eos),
    'tokenizer.ggml.add_bos_token': bool(adds.bos && ids.bos !== undefined),
    'tokenizer.ggml.add_eos_token': bool(adds.eos && ids.eos !== undefined),
  }
}

/** The special tokens before and behind one text. */
function aroundTexts({ postProcessor }: TokenizerJson): { readonly first?: string; readonly last?: string } {
  const template = postProcessor.find((step) => step.string('type') === 'TemplateProcessing')
  const parts = (template?.array('single') ?? []).map((part) => new Fields(part, 'a template of the tokenizer'))
  if (parts.length < 2) return {}
  const special = (part: Fields | undefined) => part?.object('SpecialToken')?.string('id')
  const [first, last] = [special(parts[0]), special(parts.at(-1))]
  return { ...(first !== undefined && { first }), ...(last !== undefined && { last }) }
}

/** A token is written as its text, or as an object around it. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  const content = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : undefined
  return typeof content === 'string' ? content : undefined
}

/** A model may have several tokens that end a text; the first of them is the one. */
function numberOf(value: unknown): number | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : value
  return typeof first === 'number' && Number.isInteger(first) && first >= 0 ? first : undefined
}
