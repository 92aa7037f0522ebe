import { describe, expect, it } from 'vitest'
import { metadataOverrides, validateModel, type GgufFile, type GgufValue } from '../../lib/gguf/index.js'
import { withOverrides } from '../../lib/gguf/ollama-metadata.js'
import { packStrings } from '../../lib/gguf/string-array.js'

const text = (value: string): GgufValue => ({ type: 'string', value })
const float = (value: number): GgufValue => ({ type: 'float32', value })
const u32 = (value: number): GgufValue => ({ type: 'uint32', value })

function header(architecture: string, metadata: Readonly<Record<string, GgufValue>> = {}): GgufFile {
  const entries = Object.entries(metadata).map(([key, value]): [string, GgufValue] => [
    key.replace('$', architecture),
    value,
  ])
  return {
    version: 3,
    littleEndian: true,
    metadata: new Map([['general.architecture', text(architecture)], ...entries]),
    tensors: [],
  } as unknown as GgufFile
}

function tokens(count: number, first = '<|begin_of_text|>'): Record<string, GgufValue> {
  const texts = Array.from({ length: count }, (_, id) => (id === 128_000 ? first : `t${id}`))
  return {
    'tokenizer.ggml.model': text('gpt2'),
    'tokenizer.ggml.tokens': { type: 'array', elementType: 'string', value: packStrings(texts) },
  }
}

const pre = (value: string): Record<string, GgufValue> => ({ 'tokenizer.ggml.pre': text(value) })
const told = (value: string) => [{ key: 'tokenizer.ggml.pre', value }]

describe('what llama.cpp is told of a file in the form of Ollama', () => {
  const llama3 = tokens(128_256)
  const gemma = { '$.attention.layer_norm_rms_epsilon': float(1e-6), '$.rope.freq_base': float(1e6) }
  const cases: readonly [rule: string, file: GgufFile, overrides: readonly { key: string; value: unknown }[]][] = [
    ["Llama 3's pre-tokenizer where it is missing", header('llama', llama3), told('llama-bpe')],
    ['also where it has more tokens', header('llama', tokens(128_260)), told('llama-bpe')],
    ['also where it is called the default', header('llama', { ...llama3, ...pre('default') }), told('llama-bpe')],
    ['not where another is named', header('llama', { ...llama3, ...pre('smaug-bpe') }), []],
    ['not of a vocabulary with other special tokens', header('llama', tokens(128_256, '<s>')), []],
    ['not of a smaller vocabulary', header('llama', tokens(128_255)), []],
    ['not of another kind of tokenizer', header('llama', { ...llama3, 'tokenizer.ggml.model': text('llama') }), []],
    ['nothing of Gemma 3 as llama.cpp has it', header('gemma3', gemma), []],
    [
      'the rotations of Gemma 3 by their other names, and what it leaves out',
      header('gemma3', {
        '$.rope.global.freq_base': float(2e6),
        '$.rope.local.freq_base': float(5000),
        '$.context_length': u32(32_768),
      }),
      [
        { key: 'gemma3.rope.freq_base', value: 2e6 },
        { key: 'gemma3.rope.freq_base_swa', value: 5000 },
        { key: 'gemma3.attention.layer_norm_rms_epsilon', value: 1e-6 },
      ],
    ],
    [
      'that a Gemma 3 that reads much was stretched',
      header('gemma3', { '$.context_length': u32(131_072) }),
      [
        { key: 'gemma3.attention.layer_norm_rms_epsilon', value: 1e-6 },
        { key: 'gemma3.rope.freq_base', value: 1e6 },
        { key: 'gemma3.rope.scaling.type', value: 'linear' },
        { key: 'gemma3.rope.scaling.factor', value: 8 },
      ],
    ],
    [
      'no value that Gemma 3 has itself',
      header('gemma3', { ...gemma, '$.rope.global.freq_base': float(2e6), '$.rope.local.freq_base': float(5000) }),
      [{ key: 'gemma3.rope.freq_base_swa', value: 5000 }],
    ],
    [
      'the rotations of Mistral 3 by their other names, and its pre-tokenizer',
      header('mistral3', {
        '$.rope.scaling.beta_fast': float(32),
        '$.rope.scaling.beta_slow': float(1),
        '$.rope.scaling.mscale_all_dim': float(0.5),
        '$.rope.scaling_beta': float(0.1),
        'tokenizer.ggml.model': text('gpt2'),
        ...pre('default'),
      }),
      [
        { key: 'mistral3.rope.scaling.yarn_beta_fast', value: 32 },
        { key: 'mistral3.rope.scaling.yarn_beta_slow', value: 1 },
        { key: 'mistral3.rope.scaling.yarn_log_multiplier', value: 0.5 },
        { key: 'mistral3.attention.temperature_scale', value: 0.1 },
        ...told('tekken'),
      ],
    ],
    ['nothing of Mistral 3 as llama.cpp has it', header('mistral3', { 'tokenizer.ggml.model': text('gpt2') }), []],
    ['nothing of a value of another type', header('mistral3', { '$.rope.scaling_beta': text('0.1') }), []],
  ]
  it.each(cases)('%s', (_, file, overrides) => {
    expect(metadataOverrides(file)).toEqual(overrides)
    for (const { key, value } of overrides) expect(withOverrides(file).metadata.get(key)?.value).toBe(value)
  })

  it('is held against what llama.cpp accepts like the rest', () => {
    const file = header('mistral3', { ...tokens(3), '$.rope.scaling_beta': float(NaN) })
    expect(() => validateModel(file)).toThrow()
    expect(withOverrides(file).metadata.get('mistral3.attention.temperature_scale')?.value).toBeNaN()
  })
})
