import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nativeAddon } from '../../lib/native.js'
import type { NativeChatPrompt, NativeModel } from '../../lib/native.js'
import { writePair } from '../support/media-models.js'
import { tinyPng } from '../support/tiny-media.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { chatInput, createEngine, Inbox, loadModel, requestFor, tokenize } from './bare-addon.mjs'
import { neutralSampler } from './raw-engine.js'
import { scriptedModelFile } from './test-engine.js'

// What threads share is read by all of them at once: under ThreadSanitizer a write would be told.
const addon = nativeAddon()
const directory = temporaryDirectory()
const templates = new URL('../../llama.cpp/source/models/templates/', import.meta.url)
const path = scriptedModelFile()
const eight = Array.from({ length: 8 }, (_, index) => index)

let model: NativeModel
beforeAll(async () => {
  model = await loadModel(addon, path())
})
afterAll(() => addon.modelClose(model))

const tool = {
  type: 'function',
  function: { name: 'f', description: 'F.', parameters: { type: 'object', properties: { a: { type: 'integer' } } } },
}
const textOf = ({ parts }: NativeChatPrompt): string => parts.map(({ text }) => text).join('')

describe('threads beside each other', () => {
  it.each(['Qwen-Qwen3-0.6B', 'meta-llama-Llama-3.1-8B-Instruct', 'google-gemma-4-31B-it', 'GLM-4.7-Flash'])(
    'render and read with one template of %s as one does alone',
    async (name) => {
      const source = readFileSync(fileURLToPath(new URL(`${name}.jinja`, templates)), 'utf8')
      const chatTemplate = await addon.chatTemplate(model, source)
      const input = (index: number) =>
        chatInput({
          messagesJson: JSON.stringify([{ role: 'user', content: `number ${index}` }]),
          toolsJson: index % 2 === 0 ? JSON.stringify([tool]) : '',
        })
      const answer = (prompt: NativeChatPrompt) =>
        Promise.all(
          eight.map((part) => addon.chatParse(prompt.format, '<think>a</think>{"name"'.slice(0, 3 * part), true)),
        )
      const alone: unknown[] = []
      for (const index of eight) {
        const prompt = await addon.chatPrompt(chatTemplate, input(index))
        alone.push([textOf(prompt), await answer(prompt)])
      }
      const together = await Promise.all(
        eight.map(async (index) => {
          const prompt = await addon.chatPrompt(chatTemplate, input(index))
          return [textOf(prompt), await answer(prompt)]
        }),
      )
      expect(together).toEqual(alone)
      const analysed = await Promise.all(eight.map(() => addon.chatTemplate(model, source)))
      for (const each of analysed) expect(addon.chatTemplateInfo(each)).toEqual(addon.chatTemplateInfo(chatTemplate))
    },
  )

  it('answer on two engines by one grammar, while it is compiled and asked for', async () => {
    const inbox = [new Inbox(), new Inbox()] as const
    const engines = await Promise.all(inbox.map(({ take }) => createEngine(addon, model, {}, take)))
    const grammar = 'root ::= item+ "."\nitem ::= [a-c] [^a-c.]{0,3} | "é" item'
    const sampler = { ...neutralSampler, grammar, temperature: 1, topK: 0 }
    const prompt = await tokenize(addon, model, 'K0')
    const answers = eight.map((index) => {
      const side = (index % 2) as 0 | 1
      const request = requestFor(prompt, { maxTokens: 60, sampler: { ...sampler, seed: index >> 1 } })
      return inbox[side].ended(addon.engineSubmit(engines[side]!, request))
    })
    for (const index of eight) {
      void addon.compileGrammar(model, `${grammar} # ${index}`, new Int32Array())
      addon.grammarAllows(model, grammar, new Int32Array(), false)
    }
    const texts = await Promise.all(answers)
    for (const index of eight) expect(texts[index]).toBe(texts[index ^ 1])
    await Promise.all(engines.map((engine) => addon.engineClose(engine)))
  })

  it('encode with two projectors of one model', async () => {
    const files = await writePair(directory.path, ['llama', 'janus_pro'])
    const own = await loadModel(addon, files.path)
    const options = { path: files.projector.path, useGpu: false, threads: 1, cacheBytes: 2 ** 20, mostTogether: 512 }
    const projectors = await Promise.all([0, 1].map(() => addon.projectorLoad(own, options)))
    const encode = (index: number) =>
      addon.mediumEncode(
        projectors[index % 2]!,
        'image',
        new Uint8Array(32).fill(index >> 2),
        tinyPng({ seed: index >> 2 }),
        addon.createCancelFlag(),
      )
    const media = await Promise.all(eight.map(encode))
    for (const index of eight) {
      expect(addon.mediumTokens(media[index]!)).toEqual(addon.mediumTokens(media[index & 4]!))
    }
    expect(projectors.map((each) => addon.projectorStats(each).encoded)).toEqual([2, 2])
    projectors.forEach((each) => addon.projectorClose(each))
    addon.modelClose(own)
  })

  it('quantize one model and load it', async () => {
    const kept = { copy: false, allowRequantize: false, imatrix: '', imatrixName: '', metadataOverrides: [] }
    const quantized = eight.slice(0, 3).map(async (index) => {
      const target = join(directory.path, `quantized-${index}.gguf`)
      const task = { ...kept, source: path(), target, fileType: 7, threads: 2, cancelFlag: addon.createCancelFlag() }
      await addon.quantize(task, () => undefined)
      return readFileSync(target)
    })
    addon.modelClose(await loadModel(addon, path()))
    const [first, ...others] = await Promise.all(quantized)
    for (const other of others) expect(other.equals(first!)).toBe(true)
  })
})
