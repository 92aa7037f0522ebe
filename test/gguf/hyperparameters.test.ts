import { describe, expect, it } from 'vitest'
import { readGguf, validateModel } from '../../lib/gguf/index.js'
import { array, f32, text, u16, u32, u64, writeGguf, type WriterValue } from '../support/gguf-writer.js'
import { randomModel, type RandomArchitecture } from '../support/random-model.js'
import { spmVocabulary } from '../support/tiny-vocabulary.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { expectRefusal, refusal } from './refusal.js'

const directory = temporaryDirectory()

type Change = Readonly<Record<string, WriterValue | undefined>>
const llama = (name: string, value: WriterValue | undefined): Change => ({ [`llama.${name}`]: value })
const experts = (count: number, used: WriterValue | undefined, more: Change = {}): Change => ({
  'llama.expert_count': u32(count),
  'llama.expert_used_count': used,
  ...more,
})

describe('G6 hyper-parameters that index fixed arrays or meet an assertion', () => {
  it.each<[string, Change, RegExp]>([
    ['block_count 0', llama('block_count', u32(0)), /'llama.block_count' is 0; 1 to 512 was expected/],
    ['block_count 513', llama('block_count', u32(513)), /'llama.block_count' is 513/],
    ['block_count 2^32 - 1', llama('block_count', u32(2 ** 32 - 1)), /'llama.block_count' is 4294967295/],
    ['block_count as string', llama('block_count', text('2')), /is a string; a uint32 was expected/],
    ['block_count as u64', llama('block_count', u64(2n)), /is a uint64; a uint32 was expected/],
    [
      'block_count as array',
      llama('block_count', array('uint32', [2])),
      /is an array of uint32; a uint32 was expected/,
    ],
    ['no block_count', llama('block_count', undefined), /'llama.block_count' is missing/],
    ['context_length 0', llama('context_length', u32(0)), /'llama.context_length' is 0/],
    ['context_length 2^31', llama('context_length', u32(2 ** 31)), /'llama.context_length' is 2147483648/],
    ['no context_length', llama('context_length', undefined), /'llama.context_length' is missing/],
    ['embedding_length 0', llama('embedding_length', u32(0)), /'llama.embedding_length' is 0/],
    [
      'more layers of prediction than layers',
      llama('nextn_predict_layers', u32(3)),
      /'llama.nextn_predict_layers' is 3/,
    ],
    ['1,025 experts', experts(1025, u32(2)), /'llama.expert_count' is 1025; 0 to 1024/],
    ['2^32 - 1 experts', experts(2 ** 32 - 1, u32(2)), /'llama.expert_count' is 4294967295/],
    ['more experts used than there are', experts(8, u32(9)), /'llama.expert_used_count' is 9; 0 to 8/],
    ['experts used, none there', { 'llama.expert_used_count': u32(1) }, /'llama.expert_used_count' is 1; 0 to 0/],
    ['experts that nobody uses', experts(8, undefined), /'llama.expert_count' is 8, but/],
    ['one layer uses too many', experts(8, array('uint32', [2, 9])), /'llama.expert_used_count' is 9/],
    [
      'expert use for a layer too few',
      experts(8, array('uint32', [2])),
      /has 1 entries; 2 were expected, one per layer/,
    ],
    [
      'as many expert groups as experts',
      experts(8, u32(2), { 'llama.expert_group_count': u32(8) }),
      /group_count' is 8/,
    ],
    [
      'groups that do not divide the experts',
      experts(8, u32(2), { 'llama.expert_group_count': u32(3), 'llama.expert_group_used_count': u32(1) }),
      /does not divide 8 experts/,
    ],
    ['0 heads', llama('attention.head_count', u32(0)), /'llama.attention.head_count' is missing or 0/],
    ['no heads', llama('attention.head_count', undefined), /'llama.attention.head_count' is missing or 0/],
    ['heads for a layer too many', llama('attention.head_count', array('uint32', [4, 4, 4])), /has 3 entries/],
    ['heads as floats', llama('attention.head_count', array('float32', [4, 4])), /an array of uint32 or int32/],
    ['negative heads', llama('attention.head_count', array('int32', [4, -4])), /'llama.attention.head_count' is -4/],
    ['heads that do not divide the width', llama('attention.head_count', u32(5)), /must divide|does not divide into 5/],
    [
      'key heads that do not divide the heads',
      llama('attention.head_count_kv', u32(3)),
      /4 attention heads over 3 key heads/,
    ],
    ['a key length of 0', llama('attention.key_length', u32(0)), /'llama.attention.key_length' is 0/],
    ['a value length of 2^31', llama('attention.value_length', u32(2 ** 31)), /'llama.attention.value_length'/],
    ['eps NaN', llama('attention.layer_norm_rms_epsilon', f32(Number.NaN)), /epsilon' is NaN; a finite number above 0/],
    ['eps -1', llama('attention.layer_norm_rms_epsilon', f32(-1)), /epsilon' is -1/],
    ['eps infinite', llama('attention.layer_norm_rms_epsilon', f32(Infinity)), /epsilon' is Infinity/],
    ['eps of the other norm', llama('attention.layer_norm_epsilon', f32(-1)), /layer_norm_epsilon' is -1/],
    [
      'rope dims 2^31',
      llama('rope.dimension_count', u32(2 ** 31)),
      /'llama.rope.dimension_count' is 2147483648; 16 to 16/,
    ],
    ['fewer rope dims than the head has', llama('rope.dimension_count', u32(8)), /dimension_count' is 8; 16 to 16/],
    ['values narrower than keys', llama('attention.value_length', u32(8)), /value_length' is 8; 16 to 16/],
    [
      'rope sections of 0',
      llama('rope.dimension_sections', array('int32', [0, 0, 0, 0])),
      /sections' is \[0, 0, 0, 0\]/,
    ],
    ['negative rope sections', llama('rope.dimension_sections', array('int32', [8, -8, 0, 0])), /sections' is/],
    ['rope base NaN', llama('rope.freq_base', f32(Number.NaN)), /'llama.rope.freq_base' is NaN/],
    ['rope base below 0', llama('rope.freq_base', f32(-1)), /'llama.rope.freq_base' is -1/],
    ['an unknown rope scaling', llama('rope.scaling.type', text('spiral')), /'spiral'; none, linear, yarn or longrope/],
    [
      'a rope factor of infinity',
      llama('rope.scaling.factor', f32(Infinity)),
      /'llama.rope.scaling.factor' is Infinity/,
    ],
    ['any value that is no number', llama('logit_scale', f32(Number.NaN)), /'llama.logit_scale' is NaN/],
    ['an unknown pooling', llama('pooling_type', u32(5)), /'llama.pooling_type' is 5/],
    ['no architecture', { 'general.architecture': undefined }, /'general.architecture' is missing/],
    ['architecture as number', { 'general.architecture': u32(1) }, /a string was expected/],
    ['split count of another type', { 'split.count': u32(2) }, /'split.count' is of type uint32/],
  ])('G6 %s', async (_, metadata, about) => {
    expectRefusal(await refusal(directory, randomModel('llama', { metadata })), about)
  })

  it.each<[string, Change, RegExp]>([
    ['an unknown architecture', { 'general.architecture': text('llama99') }, /architecture 'llama99' is not known/],
    ['a name with a zero byte', { 'general.architecture': text('llama\0') }, /architecture 'llama\?' is not known/],
    ['a projector', { 'general.architecture': text('clip') }, /projector for images or sound/],
    ['a projector by its type', { 'general.type': text('mmproj') }, /projector for images or sound/],
    ['a LoRA adapter', { 'general.type': text('adapter') }, /LoRA adapter; load its base model/],
    ['G9 one part of a split model', { 'split.count': u16(2) }, /one of 2 parts; join them/],
  ])('%s is not supported', async (_, metadata, about) => {
    expectRefusal(await refusal(directory, randomModel('llama', { metadata })), about, 'ERR_UNSUPPORTED')
  })
})

describe('weights', () => {
  const metadata = {
    'general.architecture': text('llama'),
    'llama.context_length': u32(64),
    'llama.embedding_length': u32(32),
    'llama.block_count': u32(1),
    'llama.attention.head_count': u32(1),
    'llama.attention.layer_norm_rms_epsilon': f32(1e-5),
    ...spmVocabulary().metadata,
  }

  it.each([
    ['of integers', 'blk.0.ffn_up.weight', [32, 2], 26, 256, /'blk.0.ffn_up.weight' has the type I32/],
    ['of doubles', 'output.weight', [32, 2], 28, 512, /'output.weight' has the type F64/],
    ['of intermediate blocks', 'token_embd.weight', [32, 2], 9, 72, /has the type Q8_1/],
    ['of halves in a norm', 'output_norm.weight', [32], 1, 64, /has the type F16; F32 was expected of a norm/],
    ['of halves in a bias', 'blk.0.attn_q.bias', [32], 1, 64, /has the type F16; F32 was expected of a norm or bias/],
  ] as const)('%s are refused', async (_, name, dimensions, type, size, about) => {
    const tensors = [{ name, dimensions, type, data: new Uint8Array(size) }]
    expectRefusal(await refusal(directory, writeGguf({ metadata, tensors })), about)
  })

  it('that are missing are refused unless only the vocabulary is wanted', async () => {
    const path = await directory.write('vocabulary.gguf', writeGguf({ metadata }))
    const file = await readGguf(path)
    expect(() => {
      validateModel(file)
    }).toThrow(/it has no weights/)
    validateModel(file, { vocabularyOnly: true })
  })
})

describe('rotation of a part of the head', () => {
  it.each([
    [15, /an even number was expected/],
    [18, /'phi3.rope.dimension_count' is 18; 0 to 16/],
  ])('%d of 16 dimensions is refused', async (count, about) => {
    const metadata = { 'phi3.rope.dimension_count': u32(count) }
    expectRefusal(await refusal(directory, randomModel('phi3', { metadata })), about)
  })
})

describe('unusual models that are fine', () => {
  it.each<[string, RandomArchitecture, Change]>([
    ['heads by layer, one without', 'llama', llama('attention.head_count', array('int32', [4, 0]))],
    ['key heads by layer', 'llama', llama('attention.head_count_kv', array('uint32', [2, 0]))],
    ['experts', 'llama', experts(8, array('uint32', [2, 4]))],
    ['512 layers', 'llama', llama('block_count', u32(512))],
    ['1,024 experts', 'llama', experts(1024, u32(1024))],
    [
      'expert groups',
      'llama',
      experts(8, u32(2), { 'llama.expert_group_count': u32(4), 'llama.expert_group_used_count': u32(2) }),
    ],
    ['sections of rope', 'qwen2', { 'qwen2.rope.dimension_sections': array('int32', [2, 3, 3, 0]) }],
    ['half of the head rotated', 'phi3', { 'phi3.rope.dimension_count': u32(8) }],
    ['a split of one', 'llama', { 'split.count': u16(1) }],
    ['an infinite bound', 'llama', llama('attention.clamp_kqv', f32(Infinity))],
    ['no rope keys', 'llama', { 'llama.rope.freq_base': undefined, 'llama.rope.dimension_count': undefined }],
  ])('%s', async (_, architecture, metadata) => {
    const file = await readGguf(await directory.write('fine.gguf', randomModel(architecture, { metadata })))
    expect(() => {
      validateModel(file)
    }).not.toThrow()
  })
})
