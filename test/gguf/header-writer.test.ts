import { describe, expect, it } from 'vitest'
import { layoutGguf } from '../../lib/gguf/header-writer.js'
import { readGguf, type GgufValue } from '../../lib/gguf/index.js'
import { packStrings } from '../../lib/gguf/string-array.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()

const values: readonly GgufValue[] = [
  { type: 'uint8', value: 255 },
  { type: 'int8', value: -128 },
  { type: 'uint16', value: 65_535 },
  { type: 'int16', value: -32_768 },
  { type: 'uint32', value: 2 ** 32 - 1 },
  { type: 'int32', value: -(2 ** 31) },
  { type: 'uint64', value: 2n ** 64n - 1n },
  { type: 'int64', value: -(2n ** 63n) },
  { type: 'float32', value: Math.fround(1e-5) },
  { type: 'float64', value: Math.PI },
  { type: 'bool', value: true },
  { type: 'bool', value: false },
  { type: 'string', value: 'Straße 😀\n' },
  { type: 'string', value: 'x'.repeat(200_000) },
  { type: 'array', elementType: 'bool', value: Uint8Array.of(1, 0, 1) },
  { type: 'array', elementType: 'int32', value: Int32Array.of(-1, 2 ** 31 - 1) },
  { type: 'array', elementType: 'float32', value: Float32Array.of(0.5, -Infinity) },
  { type: 'array', elementType: 'uint64', value: BigUint64Array.of(0n, 2n ** 64n - 1n) },
]

describe('a header that is written', () => {
  it.each([0, 1, 3])('reads back as it was, with %d tensors', async (count) => {
    const metadata = new Map(values.map((value, index) => [`key.${index}`, value]))
    const tensors = [
      { name: 'a', type: 'F32', dimensions: [3] },
      { name: 'b.weight', type: 'Q4_0', dimensions: [64, 5] },
      { name: 'c', type: 'BF16', dimensions: [2, 3, 4, 5] },
    ].slice(0, count)
    const { header, places, sizeBytes } = layoutGguf(metadata, tensors)
    const bytes = Buffer.concat([header, Buffer.alloc(sizeBytes - header.length)])
    const file = await readGguf(await directory.write(`${count}.gguf`, bytes))
    expect([...file.metadata]).toEqual([...metadata])
    expect(file.tensors.map(({ name, type, dimensions }) => ({ name, type, dimensions }))).toEqual(tensors)
    expect(file.tensors.map(({ offset, sizeBytes: size }) => ({ offset, sizeBytes: size }))).toEqual(places)
    expect(file.dataOffset).toBe(header.length)
    expect(file.sizeBytes).toBe(sizeBytes)
  })

  it('keeps the texts of arrays', async () => {
    const texts = ['', 'a', 'Ġthe', '▁▁', '😀']
    const { header } = layoutGguf(
      new Map([['list', { type: 'array', elementType: 'string', value: packStrings(texts) }]]),
      [],
    )
    const file = await readGguf(await directory.write('texts.gguf', header))
    expect([...(file.metadata.get('list')?.value as Iterable<string>)]).toEqual(texts)
  })

  it.each([
    ['of an unknown type', 'F31', [32]],
    ['whose rows are no whole blocks', 'Q4_0', [33]],
    ['without elements', 'F32', [0]],
    ['of five dimensions', 'F32', [1, 1, 1, 1, 1]],
    ['beyond exact numbers', 'F32', [2 ** 40, 2 ** 40]],
  ])('has no tensor %s', (_, type, dimensions) => {
    expect(() => layoutGguf(new Map(), [{ name: 'a', type, dimensions }])).toThrow(/No GGUF file holds/)
  })
})
