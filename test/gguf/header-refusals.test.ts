import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readGguf } from '../../lib/gguf/index.js'
import {
  array,
  bool,
  f32,
  i32,
  layoutGguf,
  text,
  u32,
  u64,
  writeGguf,
  type WriterFile,
  type WriterTensor,
  type WriterValue,
} from '../support/gguf-writer.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { expectRefusal, refusal, refusedPath } from './refusal.js'

const directory = temporaryDirectory()

const tensor = (name: string, change: Partial<WriterTensor> = {}): WriterTensor => ({
  name,
  dimensions: [8],
  data: new Float32Array(8),
  ...change,
})

const small: WriterFile = {
  metadata: {
    'general.architecture': text('llama'),
    'general.alignment': u32(32),
    'some.strings': array('string', ['a', '', 'ccc']),
    'some.numbers': array('float32', [1, 2, 3]),
    'some.flag': bool(true),
  },
  tensors: [tensor('a'), tensor('b')],
}

const withKey = (key: string, value: WriterValue) =>
  writeGguf({ ...small, metadata: { ...small.metadata, [key]: value } })
const withTensor = (change: Partial<WriterTensor>) =>
  writeGguf({ ...small, tensors: [tensor('first'), tensor('odd', change)] })

function patched(at: number, bytes: Uint8Array): Uint8Array {
  const file = Uint8Array.from(writeGguf(small))
  file.set(bytes, at)
  return file
}

describe('G1 a tensor larger than the file', () => {
  it.each([
    ['1 GiB in a file of a few hundred bytes', { dimensions: [2 ** 28], type: 0 }],
    ['one row more than there is', { dimensions: [9, 1] }],
  ])('%s: the message has the tensor, its end and the size of the file', async (_, change) => {
    const bytes = withTensor(change)
    const found = await refusal(directory, bytes)
    expectRefusal(found, /'odd' ends at byte \d+, but the file has \d+ bytes/)
    expect(found.error.details).toMatchObject({ tensor: 'odd', sizeBytes: bytes.length })
  })
})

describe('G2 lengths, counts and types', () => {
  const huge = [2n ** 63n - 1n, 2n ** 64n - 1n, 10n ** 15n]
  const count = (value: bigint) => {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigUint64(0, value, true)
    return bytes
  }
  const stringOf = (length: bigint) => {
    const { edges, bytes } = layoutGguf({ metadata: { key: text('x') } })
    const file = Uint8Array.from(bytes)
    file.set(count(length), edges[6] ?? 0)
    return file
  }

  it.each<[string, () => Uint8Array, RegExp]>([
    ['magic only', () => Buffer.from('GGUF'), /ends inside the header, at byte 4/],
    ['three bytes', () => Buffer.from('GGU'), /does not begin with 'GGUF'/],
    ['zeros', () => new Uint8Array(64), /does not begin with 'GGUF'/],
    ['version 0', () => writeGguf({ ...small, version: 0 }), /version 0/],
    ['version 1', () => writeGguf({ ...small, version: 1 }), /version 1, which llama.cpp no longer reads; convert/],
    ['version 4', () => writeGguf({ ...small, version: 4 }), /version 4/],
    ['version 99', () => writeGguf({ ...small, version: 99 }), /version 99/],
    ...huge.map((value): [string, () => Uint8Array, RegExp] => [
      `${value} tensors`,
      () => patched(8, count(value)),
      /claims \d+ tensors/,
    ]),
    ...huge.map((value): [string, () => Uint8Array, RegExp] => [
      `${value} keys`,
      () => patched(16, count(value)),
      /claims \d+ metadata keys/,
    ]),
    ['more keys than bytes', () => writeGguf({ metadata: {}, keyCount: 100n }), /100 metadata keys, but only 0 bytes/],
    ['more tensors than bytes', () => writeGguf({ metadata: {}, tensorCount: 9n }), /9 tensors, but only 0 bytes/],
    [
      'one key too many',
      () => writeGguf({ metadata: { a: text('x'.repeat(20)) }, keyCount: 2n }),
      /ends inside metadata key 2/,
    ],
    ['a string of 2^40', () => stringOf(2n ** 40n), /'key' holds a string of 1099511627776 bytes/],
    ['a string of 2^63', () => stringOf(2n ** 63n), /'key' holds a string of/],
    ['a string past the end', () => stringOf(1000n), /ends inside the value of 'key'/],
    ['an array of 2^40', () => withKey('long', array('uint8', [], 2n ** 40n)), /'long' claims 1099511627776 elements/],
    ['an array of 2^64 - 1', () => withKey('long', array('uint64', [], 2n ** 64n - 1n)), /'long' claims/],
    ['more strings than bytes', () => withKey('long', array('string', [], 10_000n)), /'long' claims 10000 elements/],
    ['an array of arrays', () => withKey('deep', array('array', [])), /'deep' is an array of arrays/],
    ['alignment 0', () => withKey('general.alignment', u32(0)), /'general.alignment' is '0'/],
    ['alignment 3', () => withKey('general.alignment', u32(3)), /power of two/],
    ['alignment 4', () => withKey('general.alignment', u32(4)), /from 8 to 1048576/],
    ['alignment 2^21', () => withKey('general.alignment', u32(2 ** 21)), /'general.alignment' is '2097152'/],
    ['alignment 2^31', () => withKey('general.alignment', u32(2 ** 31)), /'general.alignment' is '2147483648'/],
    ['alignment as int32', () => withKey('general.alignment', i32(32)), /of type int32/],
    ['alignment as string', () => withKey('general.alignment', text('32')), /of type string/],
    ['alignment as array', () => withKey('general.alignment', array('uint32', [32])), /is an array/],
    ['0 dimensions', () => withTensor({ dimensions: [] }), /'odd' has 0 dimensions/],
    ['5 dimensions', () => withTensor({ dimensions: [1, 1, 1, 1, 1] }), /'odd' has 5 dimensions/],
    ['2^32 - 1 dimensions', () => withTensor({ dimensionCount: 2 ** 32 - 1 }), /4294967295 dimensions/],
    ['a dimension of 0', () => withTensor({ dimensions: [8, 0] }), /'odd' has the shape 8 x 0/],
    ['type -1', () => withTensor({ type: -1 }), /'odd' has the type 4294967295/],
    ['type 4, removed upstream', () => withTensor({ type: 4 }), /no longer supports/],
    ['type 31, removed upstream', () => withTensor({ type: 31 }), /no longer supports/],
    ['type 43, the first unknown', () => withTensor({ type: 43 }), /'odd' has the type 43/],
    ['type 1000', () => withTensor({ type: 1000 }), /'odd' has the type 1000/],
    ['a row that is no whole number of blocks', () => withTensor({ dimensions: [8], type: 2 }), /stores 32 at a time/],
    ['an offset past the end', () => withTensor({ offset: 2n ** 40n }), /'odd' begins at byte 1099511627776/],
    ['an offset of 2^64 - 32', () => withTensor({ offset: 2n ** 64n - 32n }), /'odd' begins/],
    ['an offset off the alignment', () => withTensor({ offset: 33n }), /'odd' begins at byte 33/],
    ['a gap', () => withTensor({ offset: 64n }), /64 of the data; 32 was expected/],
    ['an overlap', () => withTensor({ offset: 0n }), /0 of the data; 32 was expected/],
    ['data cut by one byte', () => writeGguf(small).slice(0, -1), /'b' ends at byte/],
    [
      'a key twice',
      () =>
        writeGguf({
          metadata: [
            ['a', u32(1)],
            ['a', u32(2)],
          ],
        }),
      /key 'a' appears twice/,
    ],
    ['an empty key', () => writeGguf({ metadata: [['', u32(1)]] }), /key 1 has 0 bytes/],
    ['a key with a zero byte', () => writeGguf({ metadata: [['a\0b', u32(1)]] }), /key 1 is not text/],
    [
      'a key that is no UTF-8',
      () => writeGguf({ metadata: [[Buffer.from([0xc3, 0x28]), u32(1)]] }),
      /key 1 is not text/,
    ],
    ['a tensor twice', () => writeGguf({ ...small, tensors: [tensor('t'), tensor('t')] }), /'t' appears twice/],
    ['a tensor without a name', () => writeGguf({ ...small, tensors: [tensor('')] }), /tensor 1 has a name of 0 bytes/],
    ['a tensor name with a zero byte', () => writeGguf({ ...small, tensors: [tensor('t\0u')] }), /name of tensor 1/],
    ['a boolean of 2', () => withKey('flag', { type: 'bool', value: 2 }), /'flag' is a boolean of 2/],
    [
      'an array of booleans with a 7',
      () => withKey('flags', array('bool', [1, 0, 7])),
      /'flags' is an array of booleans/,
    ],
  ])('G2 %s', async (_, make, about) => {
    expectRefusal(await refusal(directory, make()), about)
  })

  it('G2 an unknown value type', async () => {
    const { edges, bytes } = layoutGguf({ metadata: { key: u32(1) } })
    for (const type of [13, 255, 2 ** 32 - 1]) {
      const file = Uint8Array.from(bytes)
      new DataView(file.buffer).setUint32(edges[5] ?? 0, type, true)
      expectRefusal(await refusal(directory, file), new RegExp(`'key' has the unknown type ${type}`))
    }
  })

  it('G2 every prefix of a valid file at each field edge', async () => {
    const { bytes, edges, dataOffset } = layoutGguf(small)
    const cuts = new Set(
      edges.flatMap((edge) => [edge - 1, edge, edge + 1]).filter((cut) => cut > 0 && cut < dataOffset),
    )
    expect(cuts.size).toBeGreaterThan(60)
    for (const cut of cuts) expectRefusal(await refusal(directory, bytes.subarray(0, cut)), /./)
    await expect(readGguf(await directory.write('whole.gguf', bytes))).resolves.toMatchObject({ version: 3 })
  })

  it('G2 a big-endian file is read, but not run on a little-endian machine', async () => {
    expectRefusal(
      await refusal(directory, writeGguf({ ...small, littleEndian: false })),
      /big-endian/,
      'ERR_UNSUPPORTED',
    )
  })

  it('G2 a token of 2^31 + 1 bytes in a sparse file', async () => {
    const { bytes } = layoutGguf({ metadata: { tokens: array('string', [], 1n) } })
    const path = join(directory.path, 'sparse.gguf')
    const length = new Uint8Array(8)
    new DataView(length.buffer).setBigUint64(0, 2n ** 31n + 1n, true)
    await writeFile(path, Buffer.concat([bytes, length]))
    await truncate(path, 2 ** 32)
    expectRefusal(await refusedPath(path), /'tokens' holds a string of 2147483649 bytes/)
  })
})

describe('G3 products that wrap', () => {
  it.each<[string, Partial<WriterTensor>]>([
    ['{2^32, 2^32} F32', { dimensions: [2n ** 32n, 2n ** 32n] }],
    ['{2^31, 2^31, 4} F32', { dimensions: [2n ** 31n, 2n ** 31n, 4] }],
    ['{2^32, 2^31} I8', { dimensions: [2n ** 32n, 2n ** 31n], type: 24 }],
    ['{2^62, 2} F32', { dimensions: [2n ** 62n, 2] }],
    ['{2^63 - 1} F32', { dimensions: [2n ** 63n - 1n] }],
    ['{2^63 - 1} I8', { dimensions: [2n ** 63n - 1n], type: 24 }],
    ['{2^64 - 1} F32', { dimensions: [2n ** 64n - 1n] }],
    ['{2^32, 2^32, 2^32, 2^32} F32', { dimensions: [2n ** 32n, 2n ** 32n, 2n ** 32n, 2n ** 32n] }],
    ['{2^61} F32: 2^63 bytes', { dimensions: [2n ** 61n] }],
  ])('G3 %s', async (_, change) => {
    expectRefusal(await refusal(directory, withTensor(change)), /'odd' (has the shape|claims|ends at byte)/)
  })

  it('G3 tensors whose sizes add up beyond 2^64', async () => {
    const quarter = { dimensions: [2n ** 62n], type: 24, data: new Uint8Array(0) }
    const tensors = [0n, 1n, 2n, 3n, 4n].map((n) =>
      tensor(`t${n}`, { ...quarter, offset: BigInt.asUintN(64, n << 62n) }),
    )
    expectRefusal(await refusal(directory, writeGguf({ ...small, tensors })), /'t0' ends at byte/)
  })

  it('G3 counts whose struct size wraps', async () => {
    for (const tensorCount of [2n ** 64n / 400n + 1n, 2n ** 61n, 2n ** 63n]) {
      expectRefusal(await refusal(directory, writeGguf({ ...small, tensorCount })), /tensors/)
    }
  })
})

describe('no value type breaks the reader', () => {
  it.each([u64(1n), f32(Number.NaN), i32(-1)])('%o', async (value) => {
    const path = await directory.write('value.gguf', writeGguf({ metadata: { key: value } }))
    await expect(readGguf(path)).resolves.toHaveProperty('version', 3)
  })
})
