import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readGguf } from '../../lib/gguf/index.js'
import { defaultLimits, probeModel } from '../../lib/runtime/probe.js'
import { probeKey, probeRecord } from '../../lib/runtime/probe-record.js'
import { randomModel } from '../support/random-model.js'
import { scriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
let files = 0

function write(bytes: Uint8Array): Promise<string> {
  return directory.write(`${files++}.gguf`, bytes)
}

function freshRecord(): ReturnType<typeof probeRecord> {
  return probeRecord(join(directory.path, `record-${files++}`))
}

// The validator refuses this file; llama.cpp ends its process over it.
const deadly = randomModel('llama', { metadata: { 'llama.block_count': { type: 'uint32', value: 513 } } })

describe('the probe', () => {
  it('lets a good model pass, once', async () => {
    const path = await write(scriptedModel())
    const file = await readGguf(path)
    const record = freshRecord()
    await probeModel(path, file, { record })
    expect(await record.has(await probeKey(path, file))).toBe(true)
    // A second probe would have to end within a millisecond.
    await probeModel(path, file, { record, limits: { timeMs: 1, memoryBytes: 1 } })
  })

  it.each([
    ['an encoder', {}],
    ['a reranker', { classifier: ['yes', 'no'] }],
  ])('tries vectors with %s', async (_, options) => {
    const path = await write(randomModel('bert', options))
    const file = await readGguf(path)
    const record = freshRecord()
    await probeModel(path, file, { record })
    expect(await record.has(await probeKey(path, file))).toBe(true)
  })

  it('refuses an encoder whose vectors are no numbers', async () => {
    const bytes = Buffer.from(randomModel('bert'))
    bytes.fill(0xff, bytes.length - 200_000)
    const path = await write(bytes)
    await expect(probeModel(path, await readGguf(path), { record: freshRecord() })).rejects.toMatchObject({
      code: 'ERR_ENGINE_CRASHED',
    })
  })

  it('outlives a model that ends the process', async () => {
    const path = await write(deadly)
    const record = freshRecord()
    const file = await readGguf(path)
    await expect(probeModel(path, file, { record })).rejects.toMatchObject({
      code: 'ERR_MODEL_REJECTED',
      message: expect.stringContaining('SIGABRT') as string,
    })
    expect(await record.has(await probeKey(path, file))).toBe(false)
  })

  it.each([
    ['time', { timeMs: 5, memoryBytes: 2 ** 40 }, /took longer/],
    ['memory', { timeMs: 60_000, memoryBytes: 2 ** 20 }, /memory/],
  ])('ends a child that passes its limit of %s', async (_, limits, message) => {
    const path = await write(scriptedModel())
    await expect(probeModel(path, await readGguf(path), { record: freshRecord(), limits })).rejects.toThrow(message)
  })

  it('passes on what llama.cpp says of a model that it refuses', async () => {
    const path = await write(
      randomModel('llama', { metadata: { 'llama.embedding_length': { type: 'uint32', value: 48 } } }),
    )
    await expect(probeModel(path, await readGguf(path), { record: freshRecord() })).rejects.toMatchObject({
      code: 'ERR_MODEL_REJECTED',
      message: expect.stringContaining('llama.cpp refused') as string,
    })
  })

  it('knows a model by its header and size, not by its name', async () => {
    const [one, copy, other] = [await write(scriptedModel()), await write(scriptedModel()), await write(deadly)]
    const keys = await Promise.all([one, copy, other].map(async (path) => probeKey(path, await readGguf(path))))
    expect(keys[0]).toBe(keys[1])
    expect(keys[0]).not.toBe(keys[2])
  })

  it('goes on when its record cannot be written', async () => {
    const path = await write(scriptedModel())
    await probeModel(path, await readGguf(path), { record: probeRecord(join(path, 'a file is no folder')) })
  })

  it('gives a large model more time and memory', () => {
    expect(defaultLimits(2 ** 30)).toEqual({ timeMs: 120_000, memoryBytes: 4 * 2 ** 30 })
  })
})
