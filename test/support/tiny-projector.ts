import { array, bool, f32, text, u32, writeGguf, type WriterTensor, type WriterValue } from './gguf-writer.js'
import { seededRandom } from './seeded-random.js'

/**
 * `janus_pro`: attention goes backwards only. `gemma3`: a picture's tokens see each other. `qwen2vl_merger`: positions in
 * two dimensions. `ultravox`: sound.
 */
export const tinyProjectors = ['janus_pro', 'gemma3', 'qwen2vl_merger', 'ultravox'] as const
export type TinyProjector = (typeof tinyProjectors)[number]

export interface TinyProjectorOptions {
  readonly seed?: number
  /** Numbers of the language model's embedding. */
  readonly textWidth?: number
  /** Of a picture, in pixels. */
  readonly imageSize?: number
  /** Keys to add, replace, or leave out where `undefined`. */
  readonly metadata?: Readonly<Record<string, WriterValue | undefined>>
  /** Which tensors are written. */
  readonly keeps?: (name: string) => boolean
}

const width = 32
const heads = 2
const feedForward = 48
const patch = 8
const layers = 2
const melBins = 80
const stack = 4
/** Whisper's encoder has a place for each half of the 3,000 frames of 30 s. */
const soundPlaces = 1500

/** A projector of random F32 weights for a tiny model, the same for the same seed. */
export function tinyProjector(kind: TinyProjector, options: TinyProjectorOptions = {}): Uint8Array {
  const { textWidth = 64, imageSize = 32, seed = 1, keeps = () => true } = options
  const random = seededRandom(seed)
  const sound = kind === 'ultravox'
  const side = sound ? 'audio' : 'vision'
  const shapes = Object.entries(sound ? soundShapes(textWidth) : pictureShapes(kind, textWidth, imageSize))
  const own: Record<string, WriterValue> = {
    embedding_length: u32(width),
    feed_forward_length: u32(feedForward),
    block_count: u32(layers),
    projection_dim: u32(textWidth),
    'attention.head_count': u32(heads),
    'attention.layer_norm_epsilon': f32(1e-5),
    ...(sound
      ? { num_mel_bins: u32(melBins), 'projector.stack_factor': u32(stack) }
      : {
          image_size: u32(imageSize),
          patch_size: u32(patch),
          image_mean: array('float32', [0.5, 0.5, 0.5]),
          image_std: array('float32', [0.5, 0.5, 0.5]),
          ...(kind === 'gemma3' && { 'projector.scale_factor': u32(2) }),
        }),
  }
  return writeGguf({
    metadata: {
      'general.architecture': text('clip'),
      'general.type': text('mmproj'),
      'general.file_type': u32(0),
      'clip.has_vision_encoder': bool(!sound),
      'clip.has_audio_encoder': bool(sound),
      'clip.projector_type': text(kind),
      'clip.use_gelu': bool(true),
      ...Object.fromEntries(Object.entries(own).map(([key, value]) => [`clip.${side}.${key}`, value])),
      ...options.metadata,
    },
    tensors: shapes
      .filter(([name]) => keeps(name))
      .map(([name, dimensions]): WriterTensor => {
        const data = new Float32Array(dimensions.reduce((product, dimension) => product * dimension, 1))
        const isNorm = /norm|ln\d?\.weight$|ln[12]\.weight$/.test(name)
        const spread = dimensions.length === 1 ? 0.1 : 2.5 / Math.sqrt(dimensions[0] ?? 1)
        for (let index = 0; index < data.length; index++)
          data[index] = (isNorm ? 1 : 0) + spread * (random() + random() + random() - 1.5)
        return { name, dimensions, data }
      }),
  })
}

type Shapes = Record<string, readonly number[]>

function blockShapes(prefix: 'v' | 'a', keyBias: boolean): Shapes {
  const shapes: Shapes = {}
  for (let layer = 0; layer < layers; layer++) {
    const block = `${prefix}.blk.${layer}`
    for (const name of ['attn_q', 'attn_k', 'attn_v', 'attn_out']) {
      shapes[`${block}.${name}.weight`] = [width, width]
      if (keyBias || name !== 'attn_k') shapes[`${block}.${name}.bias`] = [width]
    }
    for (const name of ['ln1', 'ln2']) {
      shapes[`${block}.${name}.weight`] = [width]
      shapes[`${block}.${name}.bias`] = [width]
    }
    shapes[`${block}.ffn_up.weight`] = [width, feedForward]
    shapes[`${block}.ffn_up.bias`] = [feedForward]
    shapes[`${block}.ffn_down.weight`] = [feedForward, width]
    shapes[`${block}.ffn_down.bias`] = [width]
  }
  shapes[`${prefix}.post_ln.weight`] = [width]
  shapes[`${prefix}.post_ln.bias`] = [width]
  return shapes
}

function pictureShapes(kind: TinyProjector, textWidth: number, imageSize: number): Shapes {
  const patches = (imageSize / patch) ** 2
  const shapes: Shapes = { 'v.patch_embd.weight': [patch, patch, 3, width], ...blockShapes('v', true) }
  if (kind === 'qwen2vl_merger') {
    return {
      ...shapes,
      'v.patch_embd.weight.1': [patch, patch, 3, width],
      'mm.0.weight': [4 * width, 4 * width],
      'mm.0.bias': [4 * width],
      'mm.2.weight': [4 * width, textWidth],
      'mm.2.bias': [textWidth],
    }
  }
  const fixed = { ...shapes, 'v.patch_embd.bias': [width], 'v.position_embd.weight': [width, patches] }
  if (kind === 'gemma3') {
    return { ...fixed, 'mm.input_projection.weight': [textWidth, width], 'mm.soft_emb_norm.weight': [width] }
  }
  return {
    ...fixed,
    'mm.0.weight': [width, textWidth],
    'mm.0.bias': [textWidth],
    'mm.1.weight': [textWidth, textWidth],
    'mm.1.bias': [textWidth],
  }
}

function soundShapes(textWidth: number): Shapes {
  return {
    ...blockShapes('a', false),
    'a.position_embd.weight': [width, soundPlaces],
    'a.conv1d.1.weight': [3, melBins, width],
    'a.conv1d.1.bias': [1, width],
    'a.conv1d.2.weight': [3, width, width],
    'a.conv1d.2.bias': [1, width],
    'mm.a.norm_pre.weight': [stack * width],
    'mm.a.mlp.1.weight': [stack * width, 2 * width],
    'mm.a.norm_mid.weight': [width],
    'mm.a.mlp.2.weight': [width, textWidth],
  }
}
