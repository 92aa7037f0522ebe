import { describe, expect, it } from 'vitest'
import { readGguf, validateModel, type GgufFile } from '../../lib/gguf/index.js'
import { array, bool, f32, i32, text, u32, type WriterValue } from '../support/gguf-writer.js'
import { randomModel, type RandomArchitecture } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { bpeVocabulary, byteName, spmVocabulary, wpmVocabulary } from '../support/tiny-vocabulary.js'
import { expectRefusal, refusal } from './refusal.js'

const directory = temporaryDirectory()

type Change = Readonly<Record<string, WriterValue | undefined>>

const tokensOf = (vocabulary: { tokens: readonly string[] }) =>
  vocabulary.tokens.map((token) => Buffer.from(token, 'latin1'))
const spm = tokensOf(spmVocabulary())
const bpe = tokensOf(bpeVocabulary('qwen2'))
const wpm = tokensOf(wpmVocabulary())
const replaced = (tokens: readonly Buffer[], id: number, token: string | Buffer): WriterValue =>
  array(
    'string',
    tokens.map((old, index) => (index === id ? Buffer.from(token) : old)),
  )
const tokens = (list: readonly (string | Uint8Array)[]) => array('string', list)
const types = (count: number, kind: number) => array('int32', Array<number>(count).fill(kind))
const byteA = spm.findIndex((token) => token.toString() === byteName(1))
const eos = spm.findIndex((token) => token.toString() === '<|im_end|>')

const key = (name: string) => `tokenizer.ggml.${name}`

describe('G5 vocabularies that llama.cpp dies of or misreads', () => {
  it.each<[string, RandomArchitecture, Change, RegExp]>([
    ['no tokenizer model', 'llama', { [key('model')]: undefined }, /'tokenizer.ggml.model' is missing/],
    ['no tokens', 'llama', { [key('tokens')]: undefined }, /'tokenizer.ggml.tokens' is missing/],
    ['0 tokens', 'llama', { [key('tokens')]: tokens([]) }, /has 0 tokens/],
    ['1 token', 'llama', { [key('tokens')]: tokens(['a']) }, /has 1 tokens/],
    ['2 tokens', 'llama', { [key('tokens')]: tokens(['a', 'b']) }, /no token for the byte|but the vocabulary has 2/],
    ['0 tokens of WPM', 'bert', { [key('tokens')]: tokens([]) }, /has 0 tokens/],
    ['1 token of WPM', 'bert', { [key('tokens')]: tokens(['a']) }, /has 1 tokens/],
    ['2 tokens of WPM', 'bert', { [key('tokens')]: tokens(['a', 'b']) }, /the vocabulary has 2 tokens/],
    [
      'tokens that are numbers',
      'llama',
      { [key('tokens')]: array('int32', [1, 2]) },
      /an array of strings was expected/,
    ],
    ['tokens that are no array', 'llama', { [key('tokens')]: text('a') }, /an array was expected/],
    ['a token twice', 'llama', { [key('tokens')]: replaced(spm, 300, spm[299] ?? '') }, /twice, also as id 300/],
    [
      'all byte tokens alike',
      'llama',
      { [key('tokens')]: tokens(spm.map((t) => (/^<0x/.test(String(t)) ? '<0xZZ>' : t))) },
      /twice/,
    ],
    [
      'two tokens alike up to a zero byte',
      'llama',
      { [key('tokens')]: replaced(spm, 300, `${spm[299]?.toString()}\0x`) },
      /twice/,
    ],
    [
      'a token named as an empty one is',
      'llama',
      { [key('tokens')]: tokens([...spm.slice(0, -2), '', `[EMPTY_${spm.length - 2}]`]) },
      /twice/,
    ],
    ['<0x-1>', 'llama', { [key('tokens')]: replaced(spm, byteA, '<0x-1>') }, /'<0x-1>', id \d+, is marked as a byte/],
    ['<0xZZ>', 'llama', { [key('tokens')]: replaced(spm, byteA, '<0xZZ>') }, /'<0xZZ>', id \d+, is marked as a byte/],
    ['a byte token of one letter', 'qwen2', { [key('token_type')]: types(bpe.length, 6) }, /marked as a byte/],
    ['a byte token in WPM', 'bert', { [key('token_type')]: types(wpm.length, 6) }, /marked as a byte/],
    [
      'a byte without a token',
      'llama',
      { [key('tokens')]: replaced(spm, byteA, 'other'), [key('token_type')]: types(spm.length, 1) },
      /no token for the byte <0x01>/,
    ],
    [
      'no byte tokens',
      'llama',
      { [key('tokens')]: tokens(spm.map((_, id) => `t${id}`)), [key('token_type')]: undefined },
      /no token for the byte <0x00>/,
    ],
    [
      'special id = size',
      'llama',
      { [key('bos_token_id')]: u32(spm.length) },
      /'tokenizer.ggml.bos_token_id' is \d+, but/,
    ],
    [
      'special id 2^32 - 1',
      'llama',
      { [key('eos_token_id')]: u32(2 ** 32 - 1) },
      /'tokenizer.ggml.eos_token_id' is 4294967295/,
    ],
    ['end of turn beyond', 'llama', { [key('eot_token_id')]: u32(spm.length) }, /'tokenizer.ggml.eot_token_id'/],
    ['unknown beyond', 'llama', { [key('unknown_token_id')]: u32(spm.length) }, /'tokenizer.ggml.unknown_token_id'/],
    [
      'separator beyond',
      'bert',
      { [key('seperator_token_id')]: u32(wpm.length) },
      /'tokenizer.ggml.seperator_token_id'/,
    ],
    ['a special id of another type', 'llama', { [key('bos_token_id')]: i32(1) }, /is a int32; a uint32 was expected/],
    ['add_bos that is no boolean', 'llama', { [key('add_bos_token')]: u32(1) }, /a bool was expected/],
    ['types too short', 'llama', { [key('token_type')]: types(spm.length - 1, 1) }, /has \d+ entries for \d+ tokens/],
    ['types as floats', 'llama', { [key('token_type')]: array('float32', [1]) }, /an array of int32 was expected/],
    ['scores too short', 'llama', { [key('scores')]: array('float32', [0]) }, /'tokenizer.ggml.scores' has 1 entries/],
    [
      'scores as strings',
      'llama',
      { [key('scores')]: array('string', ['0']) },
      /an array of float32 or int32 was expected/,
    ],
    [
      'a score of NaN',
      'llama',
      {
        [key('scores')]: array(
          'float32',
          spm.map((_, id) => (id === 9 ? Number.NaN : 0)),
        ),
      },
      /no number/,
    ],
    ['no merges', 'qwen2', { [key('merges')]: undefined }, /'tokenizer.ggml.merges' is missing/],
    [
      'a merge without a space',
      'qwen2',
      { [key('merges')]: array('string', ['h e', 'll']) },
      /merge 'll', number 1, has no space/,
    ],
    [
      'a merge that begins with its only space',
      'qwen2',
      { [key('merges')]: array('string', [' x']) },
      /has no space between/,
    ],
    ['merges as numbers', 'qwen2', { [key('merges')]: array('uint32', [1]) }, /an array of strings was expected/],
    [
      'a charsmap of 2 bytes',
      'llama',
      { [key('model')]: text('t5'), [key('precompiled_charsmap')]: array('uint8', [1, 2]) },
      /charsmap' has 2 bytes/,
    ],
    [
      'a charsmap that claims more',
      'llama',
      { [key('model')]: text('t5'), [key('precompiled_charsmap')]: array('int8', [9, 0, 0, 0, 1]) },
      /has 5 bytes/,
    ],
    [
      'gemma4 without BOS',
      'qwen2',
      { [key('model')]: text('gemma4'), [key('bos_token_id')]: undefined },
      /puts the bos token/,
    ],
    [
      't5 that wants a BOS it has not',
      'llama',
      { [key('model')]: text('t5'), [key('bos_token_id')]: undefined },
      /puts the bos token/,
    ],
    ['a WPM without separator', 'bert', { [key('seperator_token_id')]: undefined }, /puts the seperator token/],
  ])('G5 %s', async (_, architecture, metadata, about) => {
    expectRefusal(await refusal(directory, randomModel(architecture, { metadata, layers: 1 })), about)
  })

  it.each([
    ['a tokenizer of another time', text('unigram-3'), /tokenizer 'unigram-3' is not known/],
    ['__proto__ as tokenizer', text('__proto__'), /tokenizer '__proto__' is not known/],
    ['none', text('none'), /has no tokenizer/],
  ])('G5 %s is not supported', async (_, model, about) => {
    const bytes = randomModel('llama', { metadata: { [key('model')]: model } })
    expectRefusal(await refusal(directory, bytes), about, 'ERR_UNSUPPORTED')
  })
})

describe('odd vocabularies that are fine', () => {
  const read = async (architecture: RandomArchitecture, metadata: Change): Promise<GgufFile> =>
    readGguf(await directory.write('fine.gguf', randomModel(architecture, { metadata, layers: 1 })))

  it.each<[string, RandomArchitecture, Change]>([
    [
      'padding, mask and infill ids beyond the end, as in well-known files',
      'llama',
      {
        [key('padding_token_id')]: u32(2 ** 32 - 1),
        [key('mask_token_id')]: u32(spm.length),
        [key('fim_pre_token_id')]: u32(spm.length),
      },
    ],
    [
      'several empty tokens',
      'qwen2',
      { [key('tokens')]: tokens([...bpe, '', '', '']), [key('token_type')]: undefined },
    ],
    [
      'two tokens that differ in ill-formed bytes only',
      'llama',
      {
        [key('tokens')]: tokens([...spm, Buffer.from([0xf0]), Buffer.from([0xf1])]),
        [key('token_type')]: undefined,
        [key('scores')]: undefined,
      },
    ],
    [
      'types and scores longer than the tokens',
      'llama',
      {
        [key('token_type')]: array(
          'int32',
          [...Array<number>(5).fill(3), ...Array<number>(256).fill(6), ...Array<number>(400).fill(1)].toSpliced(
            3,
            0,
            3,
          ),
        ),
      },
    ],
    [
      'integer scores',
      'llama',
      {
        [key('scores')]: array(
          'int32',
          spm.map(() => 0),
        ),
      },
    ],
    ['no types and no scores', 'llama', { [key('token_type')]: undefined, [key('scores')]: undefined }],
    ['no EOS key', 'llama', { [key('eos_token_id')]: undefined }],
    ['no merges, but Kimi', 'qwen2', { [key('merges')]: undefined, [key('pre')]: text('kimi-k2') }],
    ['no merges in the list', 'qwen2', { [key('merges')]: array('string', []) }],
    ['a merge of parts with spaces', 'qwen2', { [key('merges')]: array('string', ['a b c']) }],
    ['no BOS wanted', 'llama', { [key('add_bos_token')]: bool(false) }],
    ['keys of other makers', 'llama', { 'acme.eps': f32(Number.NaN), 'tokenizer.acme': u32(1) }],
  ])('%s', async (_, architecture, metadata) => {
    const file = await read(architecture, metadata)
    expect(() => {
      validateModel(file)
    }).not.toThrow()
  })

  it('the end of turn is the fifth special token', () => {
    expect(eos).toBe(5)
  })
})
