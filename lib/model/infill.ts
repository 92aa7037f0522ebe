import { invalidOption } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { NativeModelInfo } from '../native-types.js'
import type { ModelInfo } from './model-info.js'

/** The special tokens between which a model was trained to fill. */
export interface InfillTokens {
  readonly prefix: number
  readonly suffix: number
  /** Absent in vocabularies such as Codestral's, where the middle follows the prefix at once. */
  readonly middle?: number
}

export function infillTokens(info: NativeModelInfo): InfillTokens | undefined {
  const { fimPrefixToken: prefix, fimSuffixToken: suffix, fimMiddleToken: middle } = info
  if (prefix < 0 || suffix < 0) return undefined
  return middle < 0 ? { prefix, suffix } : { prefix, suffix, middle }
}

/** The special tokens, or the error that the model has none. */
export function requireInfill(tokens: InfillTokens | undefined, info: ModelInfo): InfillTokens {
  if (tokens !== undefined) return tokens
  throw new LlameroError(
    'ERR_UNSUPPORTED',
    `This model (${info.description}) does not support insert: its vocabulary has no tokens for filling in the middle.`,
    { details: { option: 'suffix' } },
  )
}

/** A conversation has no gap to fill. */
export function refuseSuffix(options: unknown): void {
  const suffix = (options as { readonly suffix?: unknown } | null | undefined)?.suffix
  if (suffix !== undefined) throw invalidOption('suffix', 'left out of a chat; it belongs to generate', suffix)
}

/**
 * The prompt between whose parts the answer belongs: prefix, suffix, then the answer. Without a middle token the suffix
 * comes first, so that the answer follows the prefix.
 */
export function infillPrompt(
  { prefix, suffix, middle }: InfillTokens,
  before: Int32Array,
  after: Int32Array,
  bosToken: number | undefined,
): Int32Array {
  const begin = bosToken === undefined ? [] : [bosToken]
  if (middle === undefined) return Int32Array.from([...begin, suffix, ...after, prefix, ...before])
  return Int32Array.from([...begin, prefix, ...before, suffix, ...after, middle])
}
