import { invalidSource, unsupportedSource } from './fault.js'
import type { Fields } from './json.js'
import { f32, optional, text, u32, type Entries } from './metadata.js'

/** How positions turn queries and keys, as config.json says in its older or its newer form. */
export interface Rotation {
  readonly theta: number | undefined
  /** `default`, `linear`, `yarn`, `llama3`, `longrope`, … */
  readonly type: string
  /** The other numbers of that type. */
  readonly fields: Fields
}

const attentionKinds = ['full_attention', 'sliding_attention'] as const

/**
 * transformers 5 writes `rope_parameters`, in models of two kinds of layers one for each; before, `rope_theta` stood
 * alone and `rope_scaling` beside it.
 */
export function readRotation(config: Fields, kind: (typeof attentionKinds)[number] = 'full_attention'): Rotation {
  const parameters = config.object('rope_parameters') ?? config.object('rope_scaling')
  const own = attentionKinds.some((name) => parameters?.raw(name) !== undefined) ? parameters?.object(kind) : parameters
  return {
    theta: own?.number('rope_theta') ?? config.number('rope_theta'),
    type: own?.string('rope_type') ?? own?.string('type') ?? 'default',
    fields: own ?? config,
  }
}

/** Keys of a rotation that a formula scales; tables of factors come as tensors. */
export function rotationEntries({ theta, type, fields }: Rotation): Entries {
  const base = { 'rope.freq_base': optional(f32, theta) }
  switch (type) {
    case 'default':
    case 'llama3':
      return base
    case 'linear':
      return {
        ...base,
        'rope.scaling.type': text('linear'),
        'rope.scaling.factor': f32(fields.required('factor', fields.number('factor'))),
      }
    case 'yarn': {
      // llama.cpp computes the factor of attention from that of the length, as transformers does where none is given.
      for (const key of ['attention_factor', 'mscale', 'mscale_all_dim']) fields.onlyAllow(key, [undefined])
      const original = fields.integer('original_max_position_embeddings', 1)
      return {
        ...base,
        'rope.scaling.type': text('yarn'),
        'rope.scaling.factor': f32(fields.required('factor', fields.number('factor'))),
        'rope.scaling.original_context_length': u32(fields.required('original_max_position_embeddings', original)),
        'rope.scaling.yarn_beta_fast': optional(f32, fields.number('beta_fast')),
        'rope.scaling.yarn_beta_slow': optional(f32, fields.number('beta_slow')),
      }
    }
    default:
      throw unsupportedSource(`its positions are scaled by '${type}', which this kind of model does not have here.`)
  }
}

/**
 * Llama 3's scaling as a divisor for each frequency: long waves are slowed by `factor`, short ones are not, those in
 * between by degrees. `undefined` for another scaling.
 */
export function llama3Divisors({ theta, type, fields }: Rotation, headWidth: number): Float32Array | undefined {
  if (type !== 'llama3') return undefined
  const base = theta ?? 10_000
  const factor = fields.number('factor') ?? 8
  const low = fields.number('low_freq_factor') ?? 1
  const high = fields.number('high_freq_factor') ?? 4
  const context = fields.integer('original_max_position_embeddings', 1) ?? 8192
  if (!(factor > 0 && low > 0 && high >= low)) {
    throw invalidSource(
      `its 'llama3' rotation has the factors ${factor}, ${low} and ${high}; ascending ones were expected.`,
    )
  }
  return Float32Array.from({ length: headWidth / 2 }, (_, index) => {
    const wavelength = 2 * Math.PI * base ** ((2 * index) / headWidth)
    if (wavelength < context / high) return 1
    if (wavelength > context / low) return factor
    const smooth = (context / wavelength - low) / (high - low)
    return 1 / ((1 - smooth) / factor + smooth)
  })
}
