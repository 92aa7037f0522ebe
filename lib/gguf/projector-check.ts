import { LlameroError } from '../errors.js'
import { quoted, type FaultDetails } from './fault.js'
import { inRange, readBool, readNumbers, readString, readU32, required } from './field.js'
import type { GgufFile } from './gguf-file.js'
import { checkByteOrder } from './model-check.js'
import { checkWeights } from './weights.js'

/** What a projector file says of itself. */
export interface ProjectorSummary {
  readonly images: boolean
  readonly audio: boolean
  /** The names of how it is built, such as `gemma3`. */
  readonly kinds: readonly string[]
}

/** Projectors of llama.cpp that are read here, by the name that its converter gives them. */
const kinds: ReadonlySet<string> = new Set([
  ...['mlp', 'ldp', 'ldpv2', 'resampler', 'adapter', 'qwen2vl_merger', 'qwen2.5vl_merger', 'qwen3vl_merger'],
  ...['step3vl', 'gemma3', 'gemma3nv', 'gemma3na', 'gemma4v', 'gemma4a', 'gemma4uv', 'gemma4ua', 'phi4', 'idefics3'],
  ...['pixtral', 'ultravox', 'internvl', 'llama4', 'qwen2a', 'qwen3a', 'glma', 'qwen2.5o', 'voxtral', 'meralion'],
  ...['musicflamingo', 'lfm2', 'kimivl', 'paddleocr', 'lightonocr', 'cogvlm', 'janus_pro', 'dots_ocr', 'dots3note_v'],
  ...['dots3note_a', 'deepseekocr', 'deepseekocr2', 'lfm2a', 'glm4v', 'youtuvl', 'yasa2', 'kimik25', 'nemotron_v2_vl'],
  ...['exaone4_5', 'minicpmv4_6', 'granite_speech', 'mimovl', 'minimax_m3', 'granite4_vision', 'mimo_audio'],
  ...['parakeet', 'muse-glimmer'],
])

/** What of an image they make depends on where in the prompt it stands, so that it cannot be encoded ahead. */
const placed: ReadonlySet<string> = new Set(['deepseek4v', 'hunyuanvl'])

const most = { layers: 1024, width: 65_536, side: 8192, patches: 2 ** 20, merge: 64, mel: 4096, pixels: 2 ** 26 }

/**
 * Holds the header of a projector (`mmproj`) against what mtmd divides by, multiplies and allocates before it looks. What
 * its graph asserts beyond that, the probe finds.
 *
 * @throws LlameroError `ERR_MODEL_INVALID` for a damaged, hostile or other file, `ERR_UNSUPPORTED` for a projector that
 * cannot be used here
 */
export function checkProjector(file: GgufFile): ProjectorSummary {
  checkByteOrder(file)
  const architecture = readString(file, 'general.architecture')
  if (architecture !== 'clip') {
    throw invalid(`its 'general.architecture' is ${shown(architecture)}; 'clip' was expected.`)
  }
  const images = readBool(file, 'clip.has_vision_encoder') ?? false
  const audio = readBool(file, 'clip.has_audio_encoder') ?? false
  if (readBool(file, 'clip.has_gen_audio_encoder') === true) throw unsupported('it makes speech instead of reading it.')
  if (!images && !audio) throw invalid('it has an encoder neither for images nor for audio.')
  const found = [...(images ? [checkSide(file, 'vision')] : []), ...(audio ? [checkSide(file, 'audio')] : [])]
  if (images) checkVision(file)
  if (audio) inRange('clip.audio.num_mel_bins', readRequired(file, 'clip.audio.num_mel_bins'), 1, most.mel)
  if (file.tensors.length === 0) throw invalid('it has no tensors.')
  checkWeights(file)
  return { images, audio, kinds: found }
}

function checkSide(file: GgufFile, side: 'vision' | 'audio'): string {
  const key = (name: string): string => `clip.${side}.${name}`
  const kind = readString(file, 'clip.projector_type') ?? readString(file, key('projector_type'))
  if (kind === undefined) throw invalid("it does not say its 'clip.projector_type'.")
  if (placed.has(kind)) throw unsupported(`${quoted(kind)} makes of an image what depends on where it stands.`)
  if (!kinds.has(kind)) throw unsupported(`its 'clip.projector_type' is ${quoted(kind)}, which is not known.`)
  const number = (name: string, least: number, limit: number): number =>
    inRange(key(name), readRequired(file, key(name)), least, limit)
  const width = number('embedding_length', 1, most.width)
  const heads = number('attention.head_count', 1, most.width)
  number('block_count', 0, most.layers)
  number('feed_forward_length', 0, 16 * most.width)
  number('projection_dim', 0, most.width)
  if (width < heads) throw invalid(`${quoted(key('attention.head_count'))} is ${heads}, more than the width ${width}.`)
  for (const name of ['projector.scale_factor', 'spatial_merge_size', 'projector.stack_factor']) {
    const value = readU32(file, key(name))
    if (value !== undefined) inRange(key(name), value, 1, most.merge)
  }
  return kind
}

function checkVision(file: GgufFile): void {
  const size = inRange('clip.vision.image_size', readRequired(file, 'clip.vision.image_size'), 1, most.side)
  const patch = inRange('clip.vision.patch_size', readRequired(file, 'clip.vision.patch_size'), 1, size)
  const patches = Math.floor(size / patch) ** 2
  if (patches > most.patches) throw invalid(`it cuts an image into ${patches} pieces; at most ${most.patches} may be.`)
  for (const key of ['clip.vision.image_min_pixels', 'clip.vision.image_max_pixels']) {
    const pixels = readU32(file, key)
    if (pixels !== undefined) inRange(key, pixels, 0, most.pixels)
  }
  for (const key of ['clip.vision.image_mean', 'clip.vision.image_std']) {
    const values = Array.from((readNumbers(file, key, ['float32']) ?? []) as Iterable<number>)
    const valid = values.length >= 3 && values.every((value) => Number.isFinite(value))
    const divides = key.endsWith('mean') || values.every((value) => value !== 0)
    if (!valid || !divides)
      throw invalid(`${quoted(key)} does not hold three numbers to normalize colours with.`, { key })
  }
}

function readRequired(file: GgufFile, key: string): number {
  return required(readU32(file, key), key)
}

function shown(value: string | undefined): string {
  return value === undefined ? 'missing' : quoted(value)
}

function invalid(reason: string, details: FaultDetails = {}): LlameroError {
  return new LlameroError('ERR_MODEL_INVALID', `The projector file is not valid: ${reason}`, { details })
}

function unsupported(reason: string): LlameroError {
  return new LlameroError('ERR_UNSUPPORTED', `The projector cannot be used here: ${reason}`)
}
