import type { NativeModelInfo } from '../native-types.js'

/**
 * How the vectors of a text's tokens become one: their `mean`, the first token's (`cls`) or the `last` one's. `none`
 * keeps them all; `rank` gives what the model's classifier makes of the text.
 */
export type Pooling = 'none' | 'mean' | 'cls' | 'last' | 'rank'

/** By llama.cpp's `llama_pooling_type`. */
export const poolings: readonly Pooling[] = ['none', 'mean', 'cls', 'last', 'rank']

/** What the file asks for; undefined if it says nothing. */
export function statedPooling(info: NativeModelInfo): Pooling | undefined {
  const stated = info.metadata[`${info.architecture}.pooling_type`]
  return stated === undefined ? undefined : poolings[Number(stated)]
}

/** Parts of other models, speech decoders, and what has an encoder and a decoder: llama.cpp gives no vectors for them. */
const withoutEmbeddings = /^(?:eagle3|dflash|gemma4-assistant|wavtokenizer-dec|pockettts|qwen3tts)$/

export function canEmbed(info: NativeModelInfo): boolean {
  return !(info.hasEncoder && info.hasDecoder) && !withoutEmbeddings.test(info.architecture)
}

export function canRerank(info: NativeModelInfo): boolean {
  return canEmbed(info) && statedPooling(info) === 'rank'
}
