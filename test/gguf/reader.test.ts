import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readGguf } from '../../lib/gguf/index.js'
import { array, bool, f32, i32, text, u16, u32, u64, writeGguf, type WriterFile } from '../support/gguf-writer.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()

const everyType: WriterFile = {
  metadata: {
    u8: { type: 'uint8', value: 255 },
    i8: { type: 'int8', value: -1 },
    u16: u16(65_535),
    i16: { type: 'int16', value: -2 },
    u32: u32(2 ** 32 - 1),
    i32: i32(-3),
    f32: f32(0.5),
    f64: { type: 'float64', value: Math.PI },
    u64: u64(2n ** 64n - 1n),
    i64: { type: 'int64', value: -4n },
    yes: bool(true),
    no: bool(false),
    text: text('llama 🦙'),
    empty: text(''),
    'a.u8': array('uint8', [1, 2]),
    'a.i8': array('int8', [-1, 2]),
    'a.u16': array('uint16', [1, 65_535]),
    'a.i16': array('int16', [-1, 2]),
    'a.u32': array('uint32', [1, 2 ** 32 - 1]),
    'a.i32': array('int32', [-1, 2]),
    'a.f32': array('float32', [0.25, -0.5]),
    'a.f64': array('float64', [Math.E]),
    'a.u64': array('uint64', [2n ** 63n]),
    'a.i64': array('int64', [-(2n ** 62n)]),
    'a.bool': array('bool', [true, false]),
    'a.text': array('string', ['', 'ä', Buffer.from([0xff])]),
    'a.none': array('float32', []),
  },
  tensors: [
    { name: 'one', dimensions: [3], data: new Float32Array(3) },
    { name: 'two', dimensions: [32, 2], type: 2, data: new Uint8Array(36) },
  ],
}

describe('what is in a file', () => {
  it.each([
    ['version 3', {}],
    ['version 2', { version: 2 }],
    ['big-endian', { littleEndian: false }],
  ])('is the same however it is written: %s', async (_, change) => {
    const file = await readGguf(await directory.write('types.gguf', writeGguf({ ...everyType, ...change })))
    const { 'a.text': strings, ...values } = Object.fromEntries(
      [...file.metadata].map(([key, { value }]) => [key, value] as const),
    )
    expect(values).toEqual({
      u8: 255,
      i8: -1,
      u16: 65_535,
      i16: -2,
      u32: 2 ** 32 - 1,
      i32: -3,
      f32: 0.5,
      f64: Math.PI,
      u64: 2n ** 64n - 1n,
      i64: -4n,
      yes: true,
      no: false,
      text: 'llama 🦙',
      empty: '',
      'a.u8': Uint8Array.of(1, 2),
      'a.i8': Int8Array.of(-1, 2),
      'a.u16': Uint16Array.of(1, 65_535),
      'a.i16': Int16Array.of(-1, 2),
      'a.u32': Uint32Array.of(1, 2 ** 32 - 1),
      'a.i32': Int32Array.of(-1, 2),
      'a.f32': Float32Array.of(0.25, -0.5),
      'a.f64': Float64Array.of(Math.E),
      'a.u64': BigUint64Array.of(2n ** 63n),
      'a.i64': BigInt64Array.of(-(2n ** 62n)),
      'a.bool': Uint8Array.of(1, 0),
      'a.none': new Float32Array(0),
    })
    expect([...(strings as Iterable<string>)]).toEqual(['', 'ä', '\ufffd'])
    expect(file.version).toBe('version' in change ? 2 : 3)
    expect(file.littleEndian).toBe(!('littleEndian' in change))
    expect(file.tensors).toMatchObject([
      { name: 'one', type: 'F32', dimensions: [3], elements: 3, sizeBytes: 12, offset: file.dataOffset },
      { name: 'two', type: 'Q4_0', dimensions: [32, 2], elements: 64, sizeBytes: 36, offset: file.dataOffset + 32 },
    ])
  })

  it('strings are there by index, as text and as bytes', async () => {
    const strings = array('string', ['first', Buffer.from([0xf0, 0x9f])])
    const file = await readGguf(await directory.write('strings.gguf', writeGguf({ metadata: { strings } })))
    const found = file.metadata.get('strings')
    if (found?.type !== 'array' || found.elementType !== 'string') throw new Error('no strings')
    expect(found.value.length).toBe(2)
    expect([found.value.at(0), found.value.at(2), found.value.at(-1)]).toEqual(['first', undefined, undefined])
    expect([...found.value.bytesAt(1)]).toEqual([0xf0, 0x9f])
    expect(found.value.bytesAt(2)).toHaveLength(0)
  })
})

describe('what is no file', () => {
  const at = (name: string) => join(directory.path, name)

  it.each<[string, () => string | Promise<string>, string, RegExp]>([
    ['a missing file', () => at('none.gguf'), 'ERR_MODEL_NOT_FOUND', /There is no file '.*none\.gguf'; check the path/],
    ['an empty path', () => '', 'ERR_MODEL_NOT_FOUND', /There is no file ''/],
    ['a file as a folder', () => `${directory.path}/empty.gguf/x`, 'ERR_MODEL_NOT_FOUND', /There is no file/],
    ['a name too long', () => at('n'.repeat(5000)), 'ERR_MODEL_NOT_FOUND', /There is no file/],
    ['a path with a zero byte', () => 'a\0b', 'ERR_OPTION_INVALID', /without zero bytes/],
    ['a folder', () => directory.path, 'ERR_MODEL_INVALID', /is a folder; name the \.gguf file inside it/],
    ['an empty file', () => directory.write('empty.gguf', ''), 'ERR_MODEL_INVALID', /is empty/],
    ['a text file', () => directory.write('x.gguf', 'Dear reader,\n'), 'ERR_MODEL_INVALID', /looks like a text file/],
    ['a web page', () => directory.write('x.gguf', '<!DOCTYPE html><p>'), 'ERR_MODEL_INVALID', /it is a web page/],
    [
      'an LFS pointer',
      () => directory.write('x.gguf', 'version https://git-lfs.x/v1'),
      'ERR_MODEL_INVALID',
      /git lfs pull/,
    ],
    ['a zip', () => directory.write('x.gguf', 'PK\x03\x04\0\0\0\0'), 'ERR_MODEL_INVALID', /zip archive/],
    ['JSON', () => directory.write('x.gguf', '{"a":1}'), 'ERR_MODEL_INVALID', /it is JSON/],
    ['safetensors', () => directory.write('x.gguf', '\x40\0\0\0\0\0\0\0{"a":1}'), 'ERR_MODEL_INVALID', /safetensors/],
    [
      'random bytes',
      () => directory.write('x.gguf', Buffer.from('00ff3c9d7e', 'hex')),
      'ERR_MODEL_INVALID',
      /'GGUF'\.$/,
    ],
  ])('%s gives %s and a sentence that helps', async (_, make, code, about) => {
    const path = await make()
    await expect(readGguf(path)).rejects.toMatchObject({
      name: 'LlameroError',
      code,
      message: expect.stringMatching(about),
    })
  })

  it.skipIf(process.platform === 'win32')(
    'S4 a pipe, a device and a loop of links: at once, without waiting',
    async () => {
      execFileSync('mkfifo', [at('pipe')])
      symlinkSync(at('pipe'), at('to-pipe'))
      symlinkSync(at('loop'), at('loop'))
      for (const path of [at('pipe'), at('to-pipe'), '/dev/zero', '/dev/null']) {
        await expect(readGguf(path)).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID', message: /not a regular file/ })
      }
      await expect(readGguf(at('loop'))).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
    },
  )

  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)('a file without permission', async () => {
    const path = await directory.write('secret.gguf', 'GGUF')
    chmodSync(path, 0)
    await expect(readGguf(path)).rejects.toMatchObject({ code: 'ERR_STORE', message: /check its permissions/ })
  })

  it('a link to a model is the model', async () => {
    mkdirSync(at('links'))
    const path = await directory.write('links/model', writeGguf(everyType))
    symlinkSync(path, at('links/link'))
    await expect(readGguf(at('links/link'))).resolves.toMatchObject({ version: 3 })
  })
})

describe('a signal', () => {
  it('that was aborted before stops the reading with its reason', async () => {
    const path = await directory.write('model.gguf', writeGguf(everyType))
    const reason = new Error('enough')
    await expect(readGguf(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  it('that is aborted on the way stops it too', async () => {
    const tokens = Array.from({ length: 300_000 }, (_, id) => `token ${id}`)
    const path = await directory.write('long.gguf', writeGguf({ metadata: { tokens: array('string', tokens) } }))
    const controller = new AbortController()
    const reading = readGguf(path, { signal: controller.signal })
    setImmediate(() => {
      controller.abort(new Error('enough'))
    })
    await expect(reading).rejects.toThrow('enough')
  })
})
