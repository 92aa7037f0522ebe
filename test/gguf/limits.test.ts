import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readGguf } from '../../lib/gguf/index.js'
import { array, layoutGguf, text, u32, writeGguf, type WriterTensor, type WriterValue } from '../support/gguf-writer.js'
import { cpuTime } from '../support/cpu-time.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { expectRefusal, refusal, refusedPath } from './refusal.js'

const directory = temporaryDirectory()

const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`key.${n}`, u32(n)]))
const tensors = (count: number): WriterTensor[] =>
  Array.from({ length: count }, (_, n) => ({ name: `t${n}`, dimensions: [1], data: new Float32Array(1) }))
const one = (key: string, value: WriterValue) => writeGguf({ metadata: { [key]: value } })

async function readsIn(bytes: Uint8Array, milliseconds: number): Promise<void> {
  const path = await directory.write('limit.gguf', bytes)
  expect(await cpuTime(() => readGguf(path))).toBeLessThan(milliseconds)
}

describe('G4 limits of count: at the limit quick, above it refused at once', () => {
  it('G4 8,192 keys and one more', async () => {
    await readsIn(writeGguf({ metadata: keys(8191) }), 2000)
    await readsIn(writeGguf({ metadata: keys(8192) }), 2000)
    expectRefusal(
      await refusal(directory, writeGguf({ metadata: keys(8193) })),
      /8193 metadata keys; 8192 are the most/,
    )
  })

  it('G4 16,384 tensors and one more', async () => {
    await readsIn(writeGguf({ metadata: {}, tensors: tensors(16_384) }), 2000)
    expectRefusal(
      await refusal(directory, writeGguf({ metadata: {}, tensors: tensors(16_385) })),
      /16385 tensors; 16384/,
    )
  })

  it('G4 60,000 and 200,000 keys, which cost llama.cpp seconds and minutes', async () => {
    for (const count of [60_000, 200_000]) {
      expectRefusal(await refusal(directory, writeGguf({ metadata: keys(count) })), /metadata keys/)
    }
  })
})

describe('limits of length', () => {
  it.each<[string, number, (size: number) => Uint8Array, RegExp]>([
    ['a key', 65_535, (size) => one('k'.repeat(size), u32(1)), /key 1 has 65536 bytes/],
    ['a string', 16 * 1024 * 1024, (size) => one('key', text(Buffer.alloc(size, 97))), /string of 16777217 bytes/],
    [
      'a string in an array',
      16 * 1024 * 1024,
      (size) => one('key', array('string', [Buffer.alloc(size, 97)])),
      /string of 16777217 bytes/,
    ],
    [
      'a tensor name',
      63,
      (size) =>
        writeGguf({ metadata: {}, tensors: [{ name: 'n'.repeat(size), dimensions: [1], data: new Float32Array(1) }] }),
      /tensor 1 has a name of 64 bytes/,
    ],
  ])('%s: one below, at and one above the limit', async (_, limit, make, about) => {
    await readsIn(make(limit - 1), 2000)
    await readsIn(make(limit), 2000)
    const { error } = await refusal(directory, make(limit + 1))
    expect(error.message).toMatch(about)
  })

  it('alignments from 8 to 1 MiB', async () => {
    for (let alignment = 8; alignment <= 2 ** 20; alignment *= 2) {
      const metadata = { 'general.alignment': u32(alignment) }
      const path = await directory.write('aligned.gguf', writeGguf({ metadata, alignment, tensors: tensors(2) }))
      await expect(readGguf(path)).resolves.toMatchObject({ alignment })
    }
  })

  it.each([
    ['more elements than an array may have', 'uint8', 64 * 1024 * 1024 + 1, /67108865 elements/],
    ['a header longer than 256 MiB', 'uint64', 33 * 1024 * 1024, /metadata is longer than 268435456 bytes/],
  ] as const)('%s, in a sparse file', async (_, type, count, about) => {
    const path = join(directory.path, 'sparse.gguf')
    await writeFile(path, layoutGguf({ metadata: { many: array(type, [], BigInt(count)) } }).bytes)
    await truncate(path, 2 ** 30)
    expectRefusal(await refusedPath(path), about)
  })
})

describe('large arrays', () => {
  it('250,000 strings are read in well under a second', async () => {
    const tokens = Array.from({ length: 250_000 }, (_, id) => `token ${id}`)
    const path = await directory.write('many.gguf', one('tokens', array('string', tokens)))
    const times: number[] = []
    for (let run = 0; run < 3; run++) times.push(await cpuTime(() => readGguf(path)))
    expect(Math.min(...times)).toBeLessThan(500)
    const found = (await readGguf(path)).metadata.get('tokens')
    expect(found?.type === 'array' && found.elementType === 'string' && [...found.value]).toEqual(tokens)
  })

  it('2 million numbers come as a typed array', async () => {
    const numbers = new Float32Array(2_000_000).map((_, index) => index / 3)
    const path = await directory.write('many.gguf', one('scores', array('float32', numbers)))
    const found = (await readGguf(path)).metadata.get('scores')?.value as Float32Array
    expect(found).toBeInstanceOf(Float32Array)
    expect(Buffer.compare(Buffer.from(found.buffer), Buffer.from(numbers.buffer))).toBe(0)
  })

  it('weights cost neither time nor memory', async () => {
    const path = join(directory.path, 'huge.gguf')
    const layout = layoutGguf({ metadata: {}, tensors: [{ name: 'weights', dimensions: [2 ** 30, 64] }] })
    await writeFile(path, layout.bytes)
    await truncate(path, layout.dataOffset + 2 ** 38)
    const before = process.memoryUsage().arrayBuffers
    expect(await cpuTime(() => readGguf(path))).toBeLessThan(250)
    const file = await readGguf(path)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20)
    expect(file.tensors).toMatchObject([
      { name: 'weights', elements: 2 ** 36, sizeBytes: 2 ** 38, offset: layout.dataOffset },
    ])
  })
})
