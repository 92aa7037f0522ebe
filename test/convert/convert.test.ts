import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { convert, type ConvertProgress } from '../../lib/convert/index.js'
import { readGguf, validateModel, type GgufFile } from '../../lib/gguf/index.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import {
  randomTensor,
  safetensors,
  tinyConfig,
  tinySource,
  tinyTensors,
  tinyTokenizer,
  type TinyTensor,
} from './tiny-source.js'

const directory = temporaryDirectory()

const floats = ({ bytes }: { readonly bytes: Uint8Array }) =>
  new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)

/** The numbers of a tensor of F32. */
async function tensorOf(path: string, file: GgufFile, name: string): Promise<Float32Array> {
  const { offset, sizeBytes } = file.tensors.find((tensor) => tensor.name === name)!
  const bytes = (await readFile(path)).subarray(offset, offset + sizeBytes)
  return floats({ bytes: Uint8Array.from(bytes) })
}

async function converted(folder: string, type: 'auto' | 'f32' | 'f16' | 'bf16' = 'f32') {
  const path = join(folder, 'out.gguf')
  const result = await convert(folder, path, { type })
  const file = await readGguf(path)
  validateModel(file)
  return { path, result, file }
}

function bfloat(tensor: TinyTensor): TinyTensor {
  const halves = Uint16Array.from(new Uint32Array(floats(tensor).buffer), (word) => word >>> 16)
  return { shape: tensor.shape, bytes: new Uint8Array(halves.buffer), dtype: 'BF16' }
}

describe('convert', () => {
  it('puts every number in its place', async () => {
    const source = tinyTensors()
    const { path, file, result } = await converted(await tinySource(directory.path))
    expect(result).toMatchObject({ architecture: 'llama', type: 'f32', tensors: 20, skipped: [] })
    expect(await tensorOf(path, file, 'blk.1.ffn_down.weight')).toEqual(
      floats(source['model.layers.1.mlp.down_proj.weight']!),
    )
    const query = floats(source['model.layers.0.self_attn.q_proj.weight']!)
    const rows = [0, 4, 1, 5, 2, 6, 3, 7].flatMap((row) => [...query.subarray(row * 16, row * 16 + 16)])
    expect([...(await tensorOf(path, file, 'blk.0.attn_q.weight')).subarray(0, 128)]).toEqual(rows)
  })

  it.each([
    ['auto', 'F32', 'F16'],
    ['auto', 'BF16', 'BF16'],
    ['f16', 'BF16', 'F16'],
    ['bf16', 'F32', 'BF16'],
    ['f32', 'BF16', 'F32'],
  ] as const)('with the type %s makes of matrices of %s such of %s, and F32 of norms', async (type, from, to) => {
    const tensors = Object.entries(tinyTensors()).map(([name, tensor]) => [
      name,
      from === 'F32' ? tensor : bfloat(tensor),
    ])
    const folder = await tinySource(directory.path, {
      'model.safetensors': safetensors(Object.fromEntries(tensors) as never),
    })
    const { file } = await converted(folder, type)
    const typeOf = (name: string) => file.tensors.find((tensor) => tensor.name === name)?.type
    expect([typeOf('blk.0.ffn_up.weight'), typeOf('blk.0.ffn_norm.weight')]).toEqual([to, 'F32'])
  })

  it('refuses numbers beyond F16, and leaves no file', async () => {
    const tensors = tinyTensors()
    floats(tensors['model.layers.1.mlp.up_proj.weight']!)[5] = 70_000
    const folder = await tinySource(directory.path, { 'model.safetensors': safetensors(tensors) })
    await expect(converted(folder, 'f16')).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/'blk.1.ffn_up.weight' has numbers beyond what F16 holds.*'bf16'/),
    })
    expect((await readdir(folder)).sort()).toEqual(
      ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'].sort(),
    )
    await expect(converted(folder, 'bf16')).resolves.toBeDefined()
  })

  it('reads a model in parts', async () => {
    const all = Object.entries(tinyTensors())
    const parts = [Object.fromEntries(all.slice(0, 7)), Object.fromEntries(all.slice(7))]
    const map = parts.flatMap((part, index) => Object.keys(part).map((name) => [name, `model-${index}.safetensors`]))
    const whole = await converted(await tinySource(directory.path))
    const split = await converted(
      await tinySource(directory.path, {
        'model.safetensors': undefined,
        'model-0.safetensors': safetensors(parts[0]!),
        'model-1.safetensors': safetensors(parts[1]!),
        'model.safetensors.index.json': { weight_map: Object.fromEntries(map) as object },
      }),
    )
    const data = async ({ path, file }: typeof whole) => (await readFile(path)).subarray(file.dataOffset)
    expect(await data(split)).toEqual(await data(whole))
  })

  it('writes to a stream what it writes to a file', async () => {
    const folder = await tinySource(directory.path)
    const chunks: Buffer[] = []
    const stream = new Writable({
      write(chunk: Buffer, _, done) {
        chunks.push(Buffer.from(chunk))
        setImmediate(done)
      },
    })
    const result = await convert(folder, stream, { type: 'f32' })
    const { path } = await converted(folder)
    expect(Buffer.concat(chunks)).toEqual(await readFile(path))
    expect(stream.writableFinished).toBe(true)
    expect(result.sizeBytes).toBe(Buffer.concat(chunks).length)
  })

  it('tells how far it is, at last that it is done', async () => {
    const reports: ConvertProgress[] = []
    const folder = await tinySource(directory.path)
    const { sizeBytes } = await convert(folder, join(folder, 'out.gguf'), {
      onProgress: (report) => reports.push(report),
    })
    expect(reports.at(-1)).toEqual({ completedBytes: sizeBytes, totalBytes: sizeBytes })
    expect(reports.every((report, at) => at === 0 || report.completedBytes > reports[at - 1]!.completedBytes)).toBe(
      true,
    )
  })

  it.each([
    ['before it begins', () => AbortSignal.abort(new Error('enough'))],
    ['while it writes', () => undefined],
  ])('stops when its signal is aborted %s, and leaves the old file', async (_, early) => {
    const folder = await tinySource(directory.path)
    const path = join(folder, 'out.gguf')
    await writeFile(path, 'old')
    const controller = new AbortController()
    const call = convert(folder, path, {
      signal: early() ?? controller.signal,
      onProgress: () => controller.abort(new Error('enough')),
    })
    await expect(call).rejects.toThrow('enough')
    expect(await readFile(path, 'utf8')).toBe('old')
    expect((await readdir(folder)).filter((name) => name.endsWith('.partial'))).toEqual([])
  })

  it('stops when its signal is aborted while a stream takes nothing', async () => {
    const folder = await tinySource(directory.path)
    const controller = new AbortController()
    const stuck = new Writable({
      highWaterMark: 1,
      write() {
        setImmediate(() => controller.abort(new Error('enough')))
      },
    })
    await expect(convert(folder, stuck, { signal: controller.signal })).rejects.toThrow('enough')
    expect(stuck.destroyed).toBe(true)
  })

  it('names a folder that it cannot write to', async () => {
    const folder = await tinySource(directory.path)
    await expect(convert(folder, join(folder, 'none', 'out.gguf'))).rejects.toMatchObject({ code: 'ERR_STORE' })
  })

  it('refuses a type that it does not know', async () => {
    const folder = await tinySource(directory.path)
    const type = 'q4_0' as never
    await expect(convert(folder, 'out.gguf', { type })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' })
  })

  it('leaves out what a language model does not need, and says so', async () => {
    const more = {
      'lm_head.weight': randomTensor([257, 16]),
      'model.layers.0.self_attn.rotary_emb.inv_freq': randomTensor([4]),
    }
    const folder = await tinySource(directory.path, { 'model.safetensors': safetensors({ ...tinyTensors(), ...more }) })
    expect((await converted(folder)).result.skipped).toEqual(Object.keys(more))
  })
})

describe('the vocabulary', () => {
  const text = (file: GgufFile, key: string) => file.metadata.get(key)?.value

  it('takes templates from a file of their own before others', async () => {
    const { file } = await converted(
      await tinySource(directory.path, {
        'chat_template.jinja': 'from a file',
        'tokenizer_config.json': { chat_template: 'from the config' },
      }),
    )
    expect(text(file, 'tokenizer.chat_template')).toBe('from a file')
  })

  it('keeps named templates beside the default one', async () => {
    const named = [
      { name: 'default', template: 'plain' },
      { name: 'tool_use', template: 'tools' },
    ]
    const { file } = await converted(
      await tinySource(directory.path, { 'tokenizer_config.json': { chat_template: named } }),
    )
    expect(text(file, 'tokenizer.chat_template')).toBe('plain')
    expect(text(file, 'tokenizer.chat_template.tool_use')).toBe('tools')
  })

  it.each([
    ['none where nothing is put before texts', {}, false],
    [
      'one where the tokenizer puts it there',
      {
        post_processor: {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: '<|end|>' } }, { Sequence: { id: 'A' } }],
        },
      },
      true,
    ],
  ])('has a first token: %s', async (_, change, expected) => {
    const { file } = await converted(
      await tinySource(directory.path, { 'tokenizer.json': { ...tinyTokenizer, ...change } }),
    )
    expect(text(file, 'tokenizer.ggml.add_bos_token')).toBe(expected)
    expect(text(file, 'tokenizer.ggml.eos_token_id')).toBe(256)
  })

  it('names rows of the embedding that no token has', async () => {
    const tensors = { ...tinyTensors(), 'model.embed_tokens.weight': randomTensor([260, 16]) }
    const { file } = await converted(
      await tinySource(directory.path, { 'model.safetensors': safetensors(tensors), 'config.json': tinyConfig }),
    )
    const tokens = file.metadata.get('tokenizer.ggml.tokens')?.value as { at(index: number): string }
    expect([256, 257, 259].map((id) => tokens.at(id))).toEqual(['<|end|>', '[PAD257]', '[PAD259]'])
  })
})
