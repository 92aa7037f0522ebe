import { normalizeParts, type ContentPart, type Message } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { ModelInfo } from './model-info.js'

/** A piece of a prompt: text, an image, or audio. */
export type PromptPart = ContentPart

/** What `generate` continues: text, token ids, or parts of text with images and audio between them. */
export type RawPrompt = string | Int32Array | readonly number[] | readonly PromptPart[]

/** Whether a prompt is one of parts, perhaps of wrong ones; an empty array is one of token ids. */
export function isParts(prompt: unknown): prompt is readonly PromptPart[] {
  return Array.isArray(prompt) && typeof prompt[0] === 'object' && prompt[0] !== null
}

/** The parts, for a model that takes what they hold. Throws `ERR_OPTION_INVALID` and `ERR_UNSUPPORTED`. */
export function checkParts(parts: readonly unknown[], info: ModelInfo): readonly PromptPart[] {
  const checked = normalizeParts(parts, 'prompt')
  requireMediaOf(checked, info)
  return checked
}

/** Throws `ERR_UNSUPPORTED` where a conversation shows or plays what the model does not take. */
export function requireMediaOfMessages(messages: readonly Message[], info: ModelInfo): void {
  for (const { content } of messages) if (typeof content !== 'string') requireMediaOf(content, info)
}

function requireMediaOf(parts: readonly ContentPart[], info: ModelInfo): void {
  for (const { type } of parts) {
    if (type === 'image') requireMedia(info, 'images', info.takesImages)
    if (type === 'audio') requireMedia(info, 'audio', info.takesAudio)
  }
}

/** Throws `ERR_UNSUPPORTED` where a model takes no such media. */
function requireMedia(info: ModelInfo, what: 'images' | 'audio', takes: boolean): void {
  if (takes) return
  const other = info.takesImages || info.takesAudio
  const reason = other ? 'its projector has no part for that' : 'it was opened without a projector'
  throw new LlameroError(
    'ERR_UNSUPPORTED',
    `This model takes no ${what}: ${reason}. Use a model that brings one along, or name its file (mmproj) with the option projector of load.`,
    { details: { architecture: info.architecture } },
  )
}
