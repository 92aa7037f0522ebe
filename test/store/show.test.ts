import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { formatParameters, mediaTypes, Store, type Layer } from '../../lib/store/index.js'
import { capabilitiesOf } from '../../lib/store/capabilities.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { chatTemplate } from '../support/tiny-vocabulary.js'
import { createModel, putManifest, weights } from './stored-models.js'

const temporary = temporaryDirectory()
let store: Store
let count = 0
beforeEach(() => {
  store = new Store({ directory: join(temporary.path, `store-${(count += 1)}`) })
})

/** A model of these weights and further layers, by the names of their media types. */
async function createWith(extra: readonly (readonly [keyof typeof mediaTypes, unknown])[]): Promise<void> {
  const { digest, sizeBytes } = await store.blobs.ingest([weights])
  const layers: Layer[] = [{ mediaType: mediaTypes.model, digest, size: sizeBytes, from: 'parent:1' }]
  for (const [type, content] of extra) {
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    layers.push(await store.addLayer(mediaTypes[type], text))
  }
  await store.createModel('m', { layers })
}

describe('show', () => {
  it('tells what the layers and the header of the weights say', async () => {
    await createWith([
      ['prompt', 'old {{ .Prompt }}'],
      ['template', '{{ if .Tools }}{{ .Prompt }}{{ end }}{{ .Suffix }}'],
      ['system', 'Be terse.'],
      ['params', { temperature: 0.5, stop: ['<a>', '"'], num_ctx: 4096, use_mmap: true, gone: null }],
      ['messages', [{ role: 'user', content: 'Hi', images: [] }]],
      ['license', 'One.'],
      ['license', 'Another.'],
    ])
    const details = await store.show('M')
    expect(details).toMatchObject({
      displayName: 'm:latest',
      parentModel: 'parent:1',
      format: 'gguf',
      family: 'llama',
      families: ['llama'],
      requires: '',
      template: '{{ if .Tools }}{{ .Prompt }}{{ end }}{{ .Suffix }}',
      chatTemplate,
      system: 'Be terse.',
      messages: [{ role: 'user', content: 'Hi' }],
      licenses: ['One.', 'Another.'],
      capabilities: ['completion', 'tools', 'insert'],
    })
    expect(details.parameters).toEqual({ temperature: 0.5, stop: ['<a>', '"'], num_ctx: 4096, use_mmap: true })
    expect(details.contextLength).toBeGreaterThan(0)
    expect(details.embeddingLength).toBeGreaterThan(0)
    expect(details.parameterSize).toMatch(/^\d+(\.\d+)?[KM]$/)
    expect(details.header?.tensors.length).toBeGreaterThan(0)
  })

  it('has nothing to say of layers that are not there', async () => {
    await createWith([])
    expect(await store.show('m')).toMatchObject({
      template: '',
      system: '',
      parameters: {},
      messages: [],
      licenses: [],
      capabilities: ['completion'],
    })
  })

  it("reads a config of Ollama's, and believes what it claims", async () => {
    const { layers } = await createModel(store, 'm')
    const config = await store.addLayer(
      mediaTypes.config,
      JSON.stringify({
        model_family: 'family',
        model_families: ['family', 'clip', 3],
        model_type: '8.0B',
        file_type: 'Q4_K_M',
        requires: '0.14.0',
        capabilities: ['thinking', 'completion'],
      }),
    )
    await store.writeManifest('m', Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers })))
    expect(await store.show('m')).toMatchObject({
      family: 'family',
      families: ['family', 'clip'],
      parameterSize: '8.0B',
      quantization: 'Q4_K_M',
      requires: '0.14.0',
      capabilities: ['completion', 'thinking'],
    })
  })

  it('of a model without GGUF weights tells the rest', async () => {
    const config = await store.addLayer(mediaTypes.config, JSON.stringify({ model_format: 'safetensors' }))
    await store.writeManifest('m', Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [config] })))
    const details = await store.show('m')
    expect(details).toMatchObject({ format: 'safetensors', capabilities: [] })
    expect(details.header).toBeUndefined()
  })

  it.each([
    ['params', '{', 'ERR_MANIFEST_INVALID'],
    ['params', '[]', 'ERR_MANIFEST_INVALID'],
    ['params', '{"stop":[1]}', 'ERR_MANIFEST_INVALID'],
    ['params', '{"temperature":{}}', 'ERR_MANIFEST_INVALID'],
    ['messages', '{}', 'ERR_MANIFEST_INVALID'],
    ['messages', '[{"role":"user"}]', 'ERR_MANIFEST_INVALID'],
    ['system', 'x'.repeat(4 * 1024 * 1024 + 1), 'ERR_MANIFEST_INVALID'],
  ] as const)('S14: refuses a layer of %s that is %.30s', async (type, text, code) => {
    await createWith([[type, text]])
    await expect(store.show('m')).rejects.toMatchObject({
      code,
      message: expect.stringContaining('m:latest') as string,
    })
  })

  it.each([
    ['cut', (path: string) => truncateSync(path, 4)],
    ['changed', (path: string) => writeFileSync(path, 'Do as you hate.')],
  ])('refuses a text that was %s on disk', async (_, damage) => {
    const { layers } = await createModel(store, 'm')
    damage(store.blobs.path(layers[1]!.digest))
    await expect(store.show('m')).rejects.toMatchObject({
      code: 'ERR_STORE',
      message: expect.stringMatching(/Pull the model again/) as string,
    })
  })

  it.each([
    ['nothing', 'ERR_MODEL_NOT_FOUND'],
    ['a b', 'ERR_NAME_INVALID'],
    ['damaged', 'ERR_MANIFEST_INVALID'],
  ])('of %s: %s', async (name, code) => {
    putManifest(store, 'damaged', '{')
    await expect(store.show(name)).rejects.toMatchObject({ code })
  })

  it('of weights that are cut off says so by digest, and names no path', async () => {
    const { modelPath, modelDigest } = await createModel(store, 'm')
    truncateSync(modelPath, 100)
    const error: unknown = await store.show('m').catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'ERR_STORE', details: { digest: modelDigest } })
    expect((error as Error).message).not.toContain(store.directory)
  })
})

describe('capabilities by templates', () => {
  it.each([
    ['{{ range .Tools }}{{ end }}', '', ['tools']],
    ['{{ $.Tools }}', '', ['tools']],
    ['{{/* .Tools */}}{{ ".Suffix" }}{{ `.Thinking` }} .Tools', '', []],
    ['{{ "}} .Tools" }} {{ "\\" .Suffix" }}', '', []],
    ['{{ .Tools', '', []],
    ['{{ range .Messages }}{{ .Thinking }}{{ end }}', '', []],
    ['{{ .Suffix }}', '', ['insert']],
    ['{{ range .Messages }}<think>{{ .Thinking }}</think>{{ end }}', '', ['thinking']],
    ['', '{% if tools %}', ['tools']],
    ['', '<tool_call>', ['tools']],
    ['', '<think></think>', ['thinking']],
    ['', '<think>', []],
    ['', `{{ content.split('</think>')[-1] }}`, ['thinking']],
    ['', `{{ content.split('</think>')[-1] }}{{ reasoning_content }}`, []],
  ])('%s %s: %j', (template, jinja, capabilities) =>
    expect(capabilitiesOf({ template, chatTemplate: jinja, family: 'llama', claimed: [] })).toEqual(capabilities),
  )
})

it("parameters are written as Ollama does: a line per value, texts in Go's quotes", () => {
  const parameters = {
    temperature: 0.7,
    min_p: 0.00001,
    seed: -1,
    big: 1e21,
    use_mmap: false,
    stop: ['<|im_end|>', 'a"b\\\n\t\u0000\u00a0\u{1f600}é', ' '],
  }
  expect(formatParameters(parameters).split('\n')).toEqual([
    'temperature                    0.7',
    'min_p                          1e-05',
    'seed                           -1',
    'big                            1e+21',
    'use_mmap                       false',
    'stop                           "<|im_end|>"',
    'stop                           "a\\"b\\\\\\n\\t\\x00\\u00a0😀é"',
    'stop                           " "',
  ])
})
