import type { GgufFile } from './gguf-file.js'

/** What a model can be asked for, in Ollama's words. */
export type Capability = 'completion' | 'embedding' | 'vision' | 'audio' | 'tools' | 'insert' | 'thinking'

/** What belongs to a model beside its file. */
export interface CapabilityOptions {
  /** The header of the projector that is loaded with it: a GGUF file of the architecture `clip`. @default none */
  readonly projector?: GgufFile | undefined
}

/** Texts of the tokens around a gap, by which llama.cpp knows them (`llama-vocab.cpp`) where no key names them. */
export const gapTokens = {
  prefix: [
    '<|fim_prefix|>',
    '<fim-prefix>',
    '<fim_prefix>',
    '<｜fim▁begin｜>',
    '<PRE>',
    '▁<PRE>',
    '<|code_prefix|>',
    '<|prefix|>',
  ],
  suffix: [
    '<|fim_suffix|>',
    '<fim-suffix>',
    '<fim_suffix>',
    '<｜fim▁hole｜>',
    '<SUF>',
    '▁<SUF>',
    '<|code_suffix|>',
    '<|suffix|>',
  ],
} as const

/**
 * What a model can be asked for, told from its header as Ollama tells it: from keys of the architecture and from the chat
 * template. `insert` differs: Ollama finds it in its own templates only, which no GGUF file has; here it means that the
 * vocabulary has tokens for a gap, as `generate` needs for a `suffix`.
 *
 * @param file a header that {@link readGguf} returned
 */
export function modelCapabilities(file: GgufFile, options: CapabilityOptions = {}): Capability[] {
  const architecture = textOf(file, 'general.architecture')
  const has = (key: string) => file.metadata.has(`${architecture}.${key}`)
  const { projector } = options
  const template = textOf(file, 'tokenizer.chat_template')
  const holds: Record<Capability, boolean> = {
    completion: !has('pooling_type'),
    embedding: has('pooling_type'),
    vision: has('vision.block_count') || projector !== undefined,
    audio: has('audio.block_count') || projectorHears(projector, architecture),
    tools: /tools|tool_call/.test(template),
    insert: hasGapTokens(file),
    thinking: architecture === 'gpt-oss' || templateThinks(template),
  }
  return (Object.keys(holds) as Capability[]).filter((name) => holds[name])
}

/** Whether a Jinja template writes both tags of a thought, or takes what came before the closing one out of an answer. */
export function templateThinks(template: string): boolean {
  if (template.includes('<think>') && template.includes('</think>')) return true
  return /split\(\s*['"]<\/think>['"]/.test(template) && !template.includes('reasoning_content')
}

/** Whether a projector brings ears to a model of an architecture; of two, Ollama's engine cannot use them. */
export function projectorHears(projector: GgufFile | undefined, architecture: string): boolean {
  if (projector === undefined || ['gemma3n', 'nemotron_h_omni'].includes(architecture)) return false
  return [...projector.metadata].some(([key, { value }]) => key.endsWith('.has_audio_encoder') && value === true)
}

function hasGapTokens(file: GgufFile): boolean {
  const named = (...keys: string[]) => keys.some((key) => file.metadata.has(`tokenizer.ggml.${key}_token_id`))
  const missing = [
    ...(named('fim_pre', 'prefix') ? [] : [gapTokens.prefix]),
    ...(named('fim_suf', 'suffix') ? [] : [gapTokens.suffix]),
  ]
  if (missing.length === 0) return true
  const tokens = file.metadata.get('tokenizer.ggml.tokens')
  if (tokens?.type !== 'array' || tokens.elementType !== 'string') return false
  const wanted = missing.map((texts) => texts.map((text) => Buffer.from(text)))
  const found = wanted.map(() => false)
  for (let index = 0; index < tokens.value.length; index++) {
    const token = tokens.value.bytesAt(index)
    for (const [at, texts] of wanted.entries()) found[at] ||= texts.some((text) => text.equals(token))
  }
  return found.every(Boolean)
}

function textOf(file: GgufFile, key: string): string {
  const value = file.metadata.get(key)
  return value?.type === 'string' ? value.value : ''
}
