import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { readGguf, readGgufModel, validateModel } from '../../lib/gguf/index.js'
import { i32, text, u16, u32, writeGguf, type WriterFile, type WriterValue } from '../support/gguf-writer.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const name = (index: number, count = 3) => `model-0000${index + 1}-of-0000${count}.gguf`

const tensor = (title: string) => ({ name: title, dimensions: [4], data: new Float32Array(4) })

function part(
  index: number,
  change: Record<string, WriterValue | undefined> = {},
  tensors = [`t${index}`],
): WriterFile {
  const metadata = {
    ...(index === 0 && { 'general.architecture': text('llama'), 'split.tensors.count': i32(3) }),
    'split.no': u16(index),
    'split.count': u16(3),
    ...change,
  }
  return { metadata, tensors: tensors.map(tensor) }
}

/** Three parts in a folder of their own, some of them changed; the path of the first. */
function written(changed: Readonly<Record<number, WriterFile>> = {}): string {
  const folder = mkdtempSync(join(directory.path, 'split-'))
  for (const index of [0, 1, 2]) writeFileSync(join(folder, name(index)), writeGguf(changed[index] ?? part(index)))
  return join(folder, name(0))
}

describe('a split model', () => {
  it.each<[string, (path: string) => string | URL]>([
    ['path', (path) => path],
    ['address', (path) => pathToFileURL(path)],
  ])('is read with all its parts, by its %s', async (_, source) => {
    const path = written()
    const model = await readGgufModel(source(path))
    const parts = await Promise.all([0, 1, 2].map((index) => readGguf(join(path, '..', name(index)))))
    expect(model.tensors.map(({ name }) => name)).toEqual(['t0', 't1', 't2'])
    expect(model.sizeBytes).toBe(parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))
    expect(model.metadata.get('general.architecture')).toEqual({ type: 'string', value: 'llama' })
    expect(model.parts).toMatchObject(parts.map(({ sizeBytes, tensors }) => ({ sizeBytes, tensors })))
  })

  it('may have no tensors in its first part', async () => {
    const first = part(0, { 'split.tensors.count': i32(2) }, [])
    expect((await readGgufModel(written({ 0: first }))).tensors.map(({ name }) => name)).toEqual(['t1', 't2'])
  })

  it('of one part is a file', async () => {
    const alone = part(0, { 'split.count': u16(1) })
    const path = await directory.write('alone.gguf', writeGguf(alone))
    const model = await readGgufModel(path)
    expect(model).not.toHaveProperty('parts')
  })

  it('is no model where only one part was read', async () => {
    const file = await readGguf(written())
    expect(() => {
      validateModel(file)
    }).toThrow(/one of 3 parts/)
  })

  it.each<[string, Readonly<Record<number, WriterFile>>, RegExp]>([
    ['a part of another place', { 1: part(2) }, /'model-00002-of-00003\.gguf' is not its part 2/],
    ['a part without a number', { 1: part(1, { 'split.no': undefined }) }, /'split\.no' must be a uint16 below 3/],
    ['a part of the other byte order', { 2: { ...part(2), littleEndian: false } }, /is not its part 3/],
    ['a tensor twice', { 2: part(2, {}, ['t1']) }, /'t1' appears twice, again in 'model-00003-of-00003\.gguf'/],
    ['too few tensors', { 2: part(2, {}, []) }, /'split\.tensors\.count' is 3, but its parts have 2/],
    ['no number of tensors', { 0: part(0, { 'split.tensors.count': u32(3) }) }, /'split\.tensors\.count' is no int32/],
    ['a count of another type', { 0: part(0, { 'split.count': u32(3) }) }, /'split\.count' is of type uint32/],
    ['the first part in the middle', { 0: part(1) }, /it is part 2 of 3; name the first, 'model-00001-of-00003\.gguf'/],
  ])('is refused with %s', async (_, changed, message) => {
    await expect(readGgufModel(written(changed))).rejects.toMatchObject({
      code: 'ERR_MODEL_INVALID',
      message: expect.stringMatching(message) as string,
    })
  })

  it('names the part that is missing, damaged or wrongly named', async () => {
    const path = written()
    rmSync(join(path, '..', name(2)))
    await expect(readGgufModel(path)).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: expect.stringMatching(/there is no part 3 of 3, 'model-00003-of-00003\.gguf'/) as string,
    })
    writeFileSync(join(path, '..', name(2)), 'GGUF')
    await expect(readGgufModel(path)).rejects.toMatchObject({
      code: 'ERR_MODEL_INVALID',
      message: expect.stringMatching(/truncated .*In part 3 of 3, 'model-00003-of-00003\.gguf'/) as string,
    })
    const renamed = await directory.write('renamed.gguf', writeGguf(part(0)))
    await expect(readGgufModel(renamed)).rejects.toThrow(/its name must end in '-00001-of-00003\.gguf'/)
  })
})
