/**
 * Files of Ollama's library whose metadata llama.cpp misreads, though their tensors are what it expects: it is told other
 * values while it loads them. Source: the translations in Ollama's patches to llama.cpp's loader, as far as they are a
 * matter of texts and floats.
 */
import type { GgufFile } from './gguf-file.js'
import type { GgufValue } from './value.js'

/** Metadata that counts instead of what a file says, or leaves out: a text of at most 127 bytes, or a float. */
export type MetadataOverrides = readonly { readonly key: string; readonly value: string | number }[]

const preTokenizer = 'tokenizer.ggml.pre'

/**
 * What llama.cpp has to be told of a model in place of its own metadata; nothing for most. The weights of Llama 3 without
 * the name of its pre-tokenizer would answer, but to a text cut into other tokens than it was trained on.
 */
export function metadataOverrides(file: GgufFile): MetadataOverrides {
  switch (textOf(file, 'general.architecture')) {
    case 'gemma3':
      return gemma3(file)
    case 'mistral3':
      return mistral3(file)
    default:
      return hasLlama3Vocabulary(file) ? preTokenizerOf(file, 'llama-bpe') : []
  }
}

/** The header as llama.cpp reads it with {@link metadataOverrides}. */
export function withOverrides(file: GgufFile): GgufFile {
  const overrides = metadataOverrides(file)
  if (overrides.length === 0) return file
  const values = overrides.map(({ key, value }): [string, GgufValue] => [
    key,
    typeof value === 'string' ? { type: 'string', value } : { type: 'float32', value },
  ])
  return { ...file, metadata: new Map([...file.metadata, ...values]) }
}

/** 128,000 tokens and 256 special ones, the first of which begins every text; a model made of it may have more. */
function hasLlama3Vocabulary({ metadata }: GgufFile): boolean {
  const tokens = metadata.get('tokenizer.ggml.tokens')
  if (tokens?.type !== 'array' || tokens.elementType !== 'string') return false
  return tokens.value.length >= 128_256 && tokens.value.at(128_000) === '<|begin_of_text|>'
}

function preTokenizerOf(file: GgufFile, name: string): MetadataOverrides {
  const found = file.metadata.get(preTokenizer)
  const missing = found === undefined || (found.type === 'string' && ['', 'default'].includes(found.value))
  return missing && textOf(file, 'tokenizer.ggml.model') === 'gpt2' ? [{ key: preTokenizer, value: name }] : []
}

/** Its rotations have other names, and what all of these models have in common is left out. */
function gemma3(file: GgufFile): MetadataOverrides {
  const key = (name: string) => `gemma3.${name}`
  const renamed = [
    ...copied(file, key('rope.global.freq_base'), key('rope.freq_base')),
    ...copied(file, key('rope.local.freq_base'), key('rope.freq_base_swa')),
  ]
  const epsilon = key('attention.layer_norm_rms_epsilon')
  if (renamed.length === 0 && file.metadata.has(epsilon)) return []
  const has = (name: string) => file.metadata.has(name) || renamed.some((override) => override.key === name)
  const contextLength = file.metadata.get(key('context_length'))
  // Those that read 131,072 tokens were trained for 16,384 and stretched; see their config.json.
  const stretched = contextLength?.type === 'uint32' && contextLength.value >= 131_072
  const common: MetadataOverrides = [
    { key: epsilon, value: 1e-6 },
    { key: key('rope.freq_base'), value: 1_000_000 },
    ...(stretched ? [{ key: key('rope.scaling.type'), value: 'linear' }] : []),
    ...(stretched ? [{ key: key('rope.scaling.factor'), value: 8 }] : []),
  ]
  return [...renamed, ...common.filter((override) => !has(override.key))]
}

function mistral3(file: GgufFile): MetadataOverrides {
  const key = (name: string) => `mistral3.${name}`
  const renamed = [
    ...copied(file, key('rope.scaling.beta_fast'), key('rope.scaling.yarn_beta_fast')),
    ...copied(file, key('rope.scaling.beta_slow'), key('rope.scaling.yarn_beta_slow')),
    ...copied(file, key('rope.scaling.mscale_all_dim'), key('rope.scaling.yarn_log_multiplier')),
    ...copied(file, key('rope.scaling_beta'), key('attention.temperature_scale')),
  ]
  return renamed.length === 0 ? [] : [...renamed, ...preTokenizerOf(file, 'tekken')]
}

/** A float under another name, unless the file has that one too. */
function copied({ metadata }: GgufFile, from: string, to: string): MetadataOverrides {
  const found = metadata.get(from)
  return found?.type === 'float32' && !metadata.has(to) ? [{ key: to, value: found.value }] : []
}

function textOf({ metadata }: GgufFile, key: string): string {
  const found = metadata.get(key)
  return found?.type === 'string' ? found.value : ''
}
