import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import { smollm2Path } from '../support/real-models.js'
import { writeRandomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { createEngine, Inbox, loadModel, requestFor } from './bare-addon.mjs'
import { loadRawModel, plainEngine } from './raw-engine.js'

const directory = temporaryDirectory()
const addon = nativeAddon()
/** What llama.cpp notes of a token beside its keys and values: a position and whose it is. */
const notesBytes = 16

/** Bytes that llama.cpp's own state of a session grows by with each token. */
async function stateBytesPerToken(
  path: string,
  type: string,
  mtp = false,
): Promise<{ measured: number; told: number }> {
  const model = await loadRawModel(path, false, [], mtp)
  const options = { contextSize: 512, keyType: type, valueType: type, cachedSequences: 2 }
  const inbox = new Inbox()
  const engine = await createEngine(addon, model, options, inbox.take)
  const sizes: number[] = []
  for (const [session, tokens] of [10, 110].entries()) {
    const prompt = Int32Array.from({ length: tokens }, (_, i) => 5 + ((i * 7 + session) % 40))
    await inbox.ended(addon.engineSubmit(engine, requestFor(prompt, { maxTokens: 1, session: session + 1 })))
    const saved = await addon.sessionSave(engine, session + 1)
    expect(saved?.tokens.length).toBe(tokens)
    sizes.push(saved?.state.byteLength ?? 0)
  }
  const told = addon.memoryNeed(model, { ...plainEngine, ...options }).cellBytes
  await addon.engineClose(engine)
  addon.modelClose(model)
  return { measured: ((sizes[1] ?? 0) - (sizes[0] ?? 0)) / 100, told }
}

describe('what is told of the size of a cell', () => {
  it.each([
    ['llama', 'f16'],
    ['llama', 'f32'],
    ['qwen3', 'f16'],
    ['phi3', 'f16'],
    ['exaone', 'f16'],
  ] as const)("of %s in %s is what llama.cpp's own state has", async (architecture, type) => {
    const path = join(directory.path, `${architecture}.gguf`)
    await writeRandomModel(path, architecture)
    const { measured, told } = await stateBytesPerToken(path, type)
    expect(told).toBeLessThanOrEqual(measured)
    expect(told).toBeGreaterThanOrEqual(measured - notesBytes)
  })

  it('of a model with its trained head is that of both', async () => {
    const path = await writeRandomModel(join(directory.path, 'head.gguf'), 'glm4moe')
    const [bare, whole] = [await stateBytesPerToken(path, 'f16'), await stateBytesPerToken(path, 'f16', true)]
    expect(whole.told).toBe((bare.told * 3) / 2)
    expect(whole.measured).toBeGreaterThanOrEqual(whole.told)
    expect(whole.measured).toBeLessThanOrEqual(whole.told + 2 * notesBytes)
  })

  it.each([
    ['f16', 2],
    ['q8_0', 34 / 32],
    ['q4_0', 18 / 32],
  ])('of SmolLM2 in %s is, too', async (type, bytes) => {
    const { measured, told } = await stateBytesPerToken(await smollm2Path(), type)
    expect(told).toBe(30 * 2 * 3 * 64 * bytes)
    expect(measured - told).toBeLessThanOrEqual(notesBytes)
  })
})

it('an engine takes what is told, in the main', { timeout: 60_000 }, async () => {
  const model = await loadModel(addon, await smollm2Path())
  const options = { ...plainEngine, contextSize: 16_384, flashAttention: 'on' as const, maxSequences: 16 }
  const { cellBytes, bufferBytes, bufferCellBytes } = addon.memoryNeed(model, options)
  const told = bufferBytes + options.contextSize * (cellBytes + bufferCellBytes)
  const before = process.memoryUsage.rss()
  const engine = await createEngine(addon, model, options)
  // The weights are mapped and come in with the first decode, whatever the engine's size.
  const taken = process.memoryUsage.rss() - before
  await addon.engineClose(engine)
  const { weightsBytes } = addon.memoryNeed(model, options)
  addon.modelClose(model)
  expect(taken).toBeLessThan(told + 1.2 * weightsBytes)
  expect(taken).toBeGreaterThan(options.contextSize * cellBytes * 0.9)
})
