import { readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { convert } from '../../lib/convert/index.js'
import { LlameroError, type ErrorCode } from '../../lib/errors.js'
import { cpuTime } from '../support/cpu-time.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import {
  randomTensor,
  safetensors,
  tinyConfig,
  tinySource,
  tinyTensors,
  tinyTokenizer,
  withHeader,
  type SourceFiles,
  type TinyTensor,
} from './tiny-source.js'

const directory = temporaryDirectory()

type Case = readonly [rule: string, files: SourceFiles, about: RegExp, code?: ErrorCode]
type FullCase = readonly [rule: string, files: SourceFiles, about: RegExp, code: ErrorCode]

const full = (cases: readonly Case[]): FullCase[] =>
  cases.map(([rule, changes, about, code = 'ERR_MODEL_INVALID']) => [rule, changes, about, code])

const weights = (change: Record<string, TinyTensor | undefined>) => {
  const all: Record<string, TinyTensor | undefined> = { ...tinyTensors(), ...change }
  return safetensors(Object.fromEntries(Object.entries(all).filter(([, tensor]) => tensor !== undefined)) as never)
}
const one = (tensor: TinyTensor) => ({ 'model.safetensors': safetensors({ 'model.norm.weight': tensor }) })
const header = (json: string, data = Buffer.alloc(0), length?: bigint) => ({
  'model.safetensors': withHeader(json, data, length),
})
const bytes = (count: number) => new Uint8Array(count)
const index = (map: object) => ({
  'model.safetensors': undefined,
  'part.safetensors': safetensors(tinyTensors()),
  'model.safetensors.index.json': { weight_map: map },
})
const config = (change: object) => ({ 'config.json': { ...tinyConfig, ...change } })
const tokenizer = (change: object) => ({ 'tokenizer.json': { ...tinyTokenizer, ...change } })
const bpe = (change: object) => tokenizer({ model: { ...tinyTokenizer.model, ...change } })
const norm = 'model.norm.weight'

const headers: readonly Case[] = [
  ['shorter than a length', { 'model.safetensors': bytes(7) }, /7 bytes and is no safetensors/],
  ['a header beyond the end', header('{}', undefined, 3n), /header of 3 bytes; the file has 10/],
  ['a header beyond any file', header('{}', undefined, 2n ** 64n - 1n), /header of 18446744073709551615 bytes/],
  ['a header that is no JSON', header('{"a":'), /header of 'model.safetensors' is no JSON/],
  ['a header that is a list', header('[]'), /is an array; an object was expected/],
  ['a header nested deeply', header('['.repeat(50_000)), /deeper than 64/],
  ['a tensor that is no object', header('{"a":1}'), /'a' in 'model.safetensors' is 1; an object/],
  ['a tensor named like a prototype', header('{"__proto__":{"dtype":"F32"}}'), /'shape' is missing in '__proto__'/],
  ['an unknown type', one({ shape: [4], bytes: bytes(16), dtype: 'F31' }), /unknown type 'F31'/],
  ['a shape of text', header('{"a":{"dtype":"F32","shape":"4","data_offsets":[0,16]}}'), /an array of numbers/],
  ['a negative size', one({ shape: [-4], bytes: bytes(16) }), /shape \[-4\]/],
  ['a part of an element', one({ shape: [1.5], bytes: bytes(6) }), /shape \[1\.5\]/],
  ['a size beyond exact numbers', one({ shape: [2 ** 40, 2 ** 40], bytes: bytes(4) }), /shape \[1099511627776/],
  ['many dimensions', one({ shape: Array(9).fill(1) as number[], bytes: bytes(4) }), /shape \[1, 1/],
  ['fewer bytes than elements', one({ shape: [5], bytes: bytes(16) }), /20 bytes, but lies from byte 0 to 16/],
  ['an end before the beginning', one({ shape: [4], bytes: bytes(16), offsets: [16, 0] }), /from byte 16 to 0/],
  ['one offset', one({ shape: [4], bytes: bytes(16), offsets: [0] }), /from byte 0 to -1/],
  [
    'offsets behind the end',
    one({ shape: [4], bytes: bytes(16), offsets: [16, 32] }),
    /begins at byte .* was expected/,
  ],
  ['data cut off', { 'model.safetensors': safetensors(tinyTensors()).subarray(0, -4) }, /truncated or damaged/],
  [
    'an overlap',
    {
      'model.safetensors': safetensors({
        a: { shape: [4], bytes: bytes(16) },
        b: { shape: [4], bytes: bytes(16), offsets: [8, 24] },
      }),
    },
    /'b' in 'model.safetensors' begins at byte/,
  ],
  [
    'a gap',
    { 'model.safetensors': safetensors({ a: { shape: [4], bytes: bytes(20), offsets: [4, 20] } }) },
    /'a' in 'model.safetensors' begins at byte/,
  ],
]

const files: readonly Case[] = [
  ['no weights', { 'model.safetensors': undefined }, /no 'model.safetensors'; fetch/],
  [
    'a pickle',
    { 'model.safetensors': undefined, 'pytorch_model.bin': 'PK' },
    /'pytorch_model.bin'.*programs that run when they are read/,
    'ERR_UNSUPPORTED',
  ],
  ['a ready GGUF file', { 'model.safetensors': undefined, 'a.gguf': 'GGUF' }, /needs no conversion/],
  [
    'a Git LFS pointer for weights',
    { 'model.safetensors': 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n' },
    /'model.safetensors' is a Git LFS pointer.*git lfs pull/,
  ],
  [
    'a Git LFS pointer for a tokenizer',
    { 'tokenizer.json': 'version https://git-lfs.github.com/spec/v1\n' },
    /'tokenizer.json' is a Git LFS pointer/,
  ],
  ['an index that leads upwards', index({ [norm]: '../part.safetensors' }), /plain name of a \.safetensors file/],
  ['an index that names a path', index({ [norm]: '/etc/part.safetensors' }), /plain name of a \.safetensors file/],
  ['an index that names another kind', index({ [norm]: 'config.json' }), /plain name of a \.safetensors file/],
  ['an index that names no text', index({ [norm]: 1 }), /plain name of a \.safetensors file/],
  ['an empty index', index({}), /names 0 files/],
  ['an index with a missing file', index({ [norm]: 'other.safetensors' }), /no 'other.safetensors'/],
  ['an index that promises too much', index({ more: 'part.safetensors' }), /promises 'more' in 'part.safetensors'/],
  [
    'a tensor in two files',
    {
      ...index({ [norm]: 'part.safetensors', x: 'second.safetensors' }),
      'second.safetensors': safetensors({ [norm]: randomTensor([16]) }),
    },
    /'model.norm.weight' stands in two files/,
  ],
  ['no config', { 'config.json': undefined }, /no 'config.json'/],
  ['a config that is no JSON', { 'config.json': '{' }, /'config.json' is no JSON/],
  ['a config nested deeply', { 'config.json': '{"a":'.repeat(100_000) }, /deeper than 64/],
  ['no tokenizer', { 'tokenizer.json': undefined }, /neither 'tokenizer.json' nor 'tokenizer.model'/],
]

const meanings: readonly Case[] = [
  ['no architecture', config({ architectures: [] }), /names no architecture/],
  [
    'an unknown architecture',
    config({ architectures: ['NewForCausalLM'] }),
    /'NewForCausalLM' is not among/,
    'ERR_UNSUPPORTED',
  ],
  [
    'an architecture named like a prototype',
    config({ architectures: ['constructor'] }),
    /'constructor' is not/,
    'ERR_UNSUPPORTED',
  ],
  ['another activation', config({ hidden_act: 'gelu' }), /'hidden_act'.*"silu"/, 'ERR_UNSUPPORTED'],
  [
    'quantised weights',
    config({ quantization_config: { quant_method: 'gptq' } }),
    /quantised by 'gptq'/,
    'ERR_UNSUPPORTED',
  ],
  [
    'an unknown scaling',
    config({ rope_scaling: { type: 'dynamic', factor: 2 } }),
    /scaled by 'dynamic'/,
    'ERR_UNSUPPORTED',
  ],
  ['no number of layers', config({ num_hidden_layers: null }), /'num_hidden_layers' is missing/],
  ['a number of layers as text', config({ num_hidden_layers: '2' }), /'num_hidden_layers'.*whole number/],
  ['more layers than weights', config({ num_hidden_layers: 3 }), /'blk.2.attn_norm.weight' are missing/],
  ['fewer layers than weights', config({ num_hidden_layers: 1 }), /layers.1.*is none that llama/, 'ERR_UNSUPPORTED'],
  ['so many layers that no file has them', config({ num_hidden_layers: 2 ** 31 - 1 }), /'num_hidden_layers'.*512/],
  ['heads wider than memory', config({ head_dim: 2 ** 31 - 2 }), /'head_dim'.*65536/],
  ['heads that do not divide', config({ num_attention_heads: 3 }), /does not divide into 3/],
  ['heads that do not fit the weights', config({ head_dim: 12 }), /no whole number of heads of 12/],
  ['an output of its own that is missing', config({ tie_word_embeddings: false }), /'output.weight' are missing/],
  [
    'a tensor that the family does not have',
    { 'model.safetensors': weights({ 'model.layers.0.self_attn.gate.weight': randomTensor([2, 2]) }) },
    /'model.layers.0.self_attn.gate.weight' is none that llama models have/,
    'ERR_UNSUPPORTED',
  ],
  [
    'two names for one tensor',
    { 'model.safetensors': weights({ 'norm.weight': randomTensor([16]) }) },
    /'norm.weight' and 'model.norm.weight' are one|'model.norm.weight' and 'norm.weight' are one/,
  ],
  [
    'weights of F64',
    { 'model.safetensors': weights({ [norm]: { shape: [16], bytes: bytes(128), dtype: 'F64' } }) },
    /'model.norm.weight' has the type F64/,
    'ERR_UNSUPPORTED',
  ],
  [
    'weights of integers',
    { 'model.safetensors': weights({ [norm]: { shape: [16], bytes: bytes(16), dtype: 'I8' } }) },
    /'model.norm.weight' has the type I8/,
    'ERR_UNSUPPORTED',
  ],
  [
    'an embedding of more rows than any vocabulary',
    {
      'model.safetensors': weights({
        'model.embed_tokens.weight': { shape: [2 ** 22 + 1, 1], bytes: bytes(2 * (2 ** 22 + 1)), dtype: 'F16' },
      }),
    },
    /the embedding has 4194305 rows/,
  ],
  [
    'a tensor without elements',
    { 'model.safetensors': weights({ [norm]: { shape: [0], bytes: bytes(0) } }) },
    /'model.norm.weight' has the shape \[0\]/,
  ],
]

const tokenizers: readonly Case[] = [
  [
    'an unknown way to cut words',
    tokenizer({ pre_tokenizer: { type: 'Whitespace' } }),
    /not known here: 'Whitespace'/,
    'ERR_UNSUPPORTED',
  ],
  [
    'another regular expression',
    tokenizer({ pre_tokenizer: { type: 'Split', pattern: { Regex: '\\w+' }, behavior: 'Isolated' } }),
    /Split:\\w\+/,
    'ERR_UNSUPPORTED',
  ],
  ['whole words first', bpe({ ignore_merges: true }), /with whole words first/, 'ERR_UNSUPPORTED'],
  ['a normalizer', tokenizer({ normalizer: { type: 'NFKC' } }), /changes texts by NFKC/, 'ERR_UNSUPPORTED'],
  ['unigrams', bpe({ type: 'Unigram' }), /of the type Unigram/, 'ERR_UNSUPPORTED'],
  ['an id beyond the embedding', bpe({ vocab: { a: 257 } }), /'a' has the id 257, but the embedding has 257 rows/],
  ['an id that is no number', bpe({ vocab: { a: 'b' } }), /'a' has no number for an id/],
  ['a merge of one', bpe({ merges: ['ab'] }), /merge 0 .* no pair/],
  ['a merge of numbers', bpe({ merges: [[1, 2]] }), /merge 0 .* no pair/],
  ['one text twice', tokenizer({ added_tokens: [{ id: 256, content: 'A', special: true }] }), /token 'A' twice/],
  [
    'a SentencePiece model that is none',
    { 'tokenizer.json': undefined, 'tokenizer.model': 'no model' },
    /'tokenizer.model' is no SentencePiece model/,
  ],
  ['a template of another kind', { 'tokenizer_config.json': { chat_template: 1 } }, /chat template is neither/],
]

describe.each([
  ['a header of safetensors', headers],
  ['the files', files],
  ['a model', meanings],
  ['a tokenizer', tokenizers],
])('of %s is refused', (_, cases) => {
  it.each(full(cases))('%s', async (_, changes, about, code) => {
    const folder = await tinySource(directory.path, changes)
    let error: unknown
    const milliseconds = await cpuTime(async () => {
      await convert(folder, join(folder, 'out.gguf')).catch((caught: unknown) => (error = caught))
    })
    expect(error).toBeInstanceOf(LlameroError)
    expect((error as LlameroError).message).toMatch(about)
    expect((error as LlameroError).code).toBe(code)
    expect(milliseconds).toBeLessThan(2000)
    expect((await readdir(folder)).filter((name) => /gguf|partial/.test(name) && name !== 'a.gguf')).toEqual([])
  })
})

describe('a folder', () => {
  it.each([
    ['that is not there', 'nothing', 'ERR_MODEL_NOT_FOUND'],
    ['with a zero byte in its name', 'a\0b', 'ERR_OPTION_INVALID'],
  ] as const)('%s is refused', async (_, name, code) => {
    await expect(convert(join(directory.path, name), 'out.gguf')).rejects.toMatchObject({ code })
  })

  it('may not link out of itself', async () => {
    await writeFile(join(directory.path, 'secret.jinja'), 'secret')
    const folder = await tinySource(directory.path)
    await symlink(join(directory.path, 'secret.jinja'), join(folder, 'chat_template.jinja'))
    await expect(convert(folder, join(folder, 'out.gguf'))).rejects.toThrow(/leads out of the folder/)
  })

  it('G14: is not read where code lies', async () => {
    const folder = await tinySource(directory.path, {
      'modeling_evil.py': 'raise SystemExit',
      'config.json': { ...tinyConfig, auto_map: { AutoModel: 'modeling_evil.Model' }, trust_remote_code: true },
    })
    await expect(convert(folder, join(folder, 'out.gguf'))).resolves.toMatchObject({ architecture: 'llama' })
  })
})
