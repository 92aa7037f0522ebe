import { invalidOption, wellFormed, type MediaSource } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { ModelInfo } from './model-info.js'

/** A piece of a prompt: text, an image, or audio. */
export type PromptPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image: MediaSource }
  | { readonly type: 'audio'; readonly audio: MediaSource }

/** What `generate` continues: text, token ids, or parts of text with images and audio between them. */
export type RawPrompt = string | Int32Array | readonly number[] | readonly PromptPart[]

const mostParts = 1024
const expected = "an array of { type: 'text', text }, { type: 'image', image } and { type: 'audio', audio }"

/** Whether a prompt is one of parts, perhaps of wrong ones; an empty array is one of token ids. */
export function isParts(prompt: unknown): prompt is readonly PromptPart[] {
  return Array.isArray(prompt) && typeof prompt[0] === 'object' && prompt[0] !== null
}

/** The parts, for a model that takes what they hold. Throws `ERR_OPTION_INVALID` and `ERR_UNSUPPORTED`. */
export function checkParts(parts: readonly unknown[], info: ModelInfo): readonly PromptPart[] {
  if (parts.length > mostParts) throw invalidOption('prompt', `an array of up to ${mostParts} parts`, parts)
  return Array.from(parts, (part, index) => checkPart(part, `prompt[${index}]`, info))
}

function checkPart(part: unknown, name: string, info: ModelInfo): PromptPart {
  const { type, text, image, audio } = (part ?? {}) as Readonly<Record<string, unknown>>
  switch (type) {
    case 'text':
      if (typeof text !== 'string') throw invalidOption(`${name}.text`, 'a string', text)
      return { type, text: wellFormed(text) }
    case 'image':
      requireMedia(info, 'images', info.takesImages)
      return { type, image: checkSource(image, `${name}.image`) }
    case 'audio':
      requireMedia(info, 'audio', info.takesAudio)
      return { type, audio: checkSource(audio, `${name}.audio`) }
    default:
      throw invalidOption(name, expected, part)
  }
}

function checkSource(source: unknown, name: string): MediaSource {
  if (typeof source === 'string' || source instanceof URL || source instanceof Uint8Array) return source
  throw invalidOption(name, 'a path, a file: or data: URL, or the bytes of a file', source)
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
