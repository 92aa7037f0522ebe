import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { load } from '../../lib/runtime/index.js'
import { Store } from '../../lib/store/index.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const temporary = temporaryDirectory()
let directory: string
let store: Store

const image = 'application/vnd.ollama.image'
const template = '{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}{{ .Prompt }}'
const config = {
  model_format: 'gguf',
  model_family: 'llama',
  model_families: ['llama'],
  model_type: '0.1B',
  file_type: 'F32',
  architecture: 'amd64',
  os: 'linux',
  rootfs: { type: 'layers', diff_ids: ['sha256:' + '0'.repeat(64)] },
}

/** Writes a folder by hand as Ollama lays it out (spec of its store): no code of ours has a part in it. */
function writeOllamaStore(): { readonly id: string; readonly files: readonly string[] } {
  const put = (mediaType: string, content: string | Uint8Array) => {
    const bytes = Buffer.from(content)
    const hex = createHash('sha256').update(bytes).digest('hex')
    mkdirSync(join(directory, 'blobs'), { recursive: true })
    writeFileSync(join(directory, 'blobs', `sha256-${hex}`), bytes)
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length }
  }
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    config: put('application/vnd.docker.container.image.v1+json', JSON.stringify(config)),
    layers: [
      put(`${image}.model`, randomModel('llama')),
      put(`${image}.template`, template),
      put(`${image}.license`, 'Apache License\nVersion 2.0'),
      put(`${image}.license`, 'A second one.'),
      put(`${image}.params`, '{"num_predict":3,"stop":["<|im_start|>","<|im_end|>"],"temperature":0.1}'),
      put(`${image}.system`, 'You are a helpful assistant.'),
      put(`${image}.messages`, '[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello!"}]'),
    ],
  }
  const path = join(directory, 'manifests', 'registry.ollama.ai', 'library', 'tiny', 'latest')
  mkdirSync(dirname(path), { recursive: true })
  const text = JSON.stringify(manifest)
  writeFileSync(path, text)
  return {
    id: createHash('sha256').update(text).digest('hex').slice(0, 12),
    files: [path, ...readdirSync(join(directory, 'blobs')).map((name) => join(directory, 'blobs', name))],
  }
}

describe('a store that Ollama wrote', () => {
  let written: ReturnType<typeof writeOllamaStore>
  const before = new Map<string, Buffer>()
  beforeAll(() => {
    directory = join(temporary.path, 'models')
    store = new Store({ directory })
    written = writeOllamaStore()
    for (const file of written.files) before.set(file, readFileSync(file))
  })
  afterAll(() => {
    for (const [file, bytes] of before) expect(readFileSync(file).equals(bytes), file).toBe(true)
  })

  it('is listed', async () => {
    const { models, warnings } = await store.list()
    expect(warnings).toEqual([])
    expect(models).toHaveLength(1)
    expect(models[0]).toMatchObject({ displayName: 'tiny:latest' })
    expect(models[0]?.manifestDigest.slice(7, 19)).toBe(written.id)
  })

  it('is shown, and verifies', async () => {
    expect(await store.show('tiny')).toMatchObject({
      family: 'llama',
      parameterSize: '0.1B',
      quantization: 'F32',
      template,
      system: 'You are a helpful assistant.',
      licenses: ['Apache License\nVersion 2.0', 'A second one.'],
      parameters: { num_predict: 3, stop: ['<|im_start|>', '<|im_end|>'], temperature: 0.1 },
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hello!' },
      ],
    })
    expect(await store.verify()).toMatchObject({ isClean: true })
  })

  it('is run, with what it brings along', async () => {
    const model = await load('tiny', { modelsDirectory: directory, probe: false, contextSize: 256 })
    try {
      expect(await model.template('Why?')).toMatch(
        /^<\|im_start\|>system\nYou are a helpful assistant\.[^]*Hello![^]*Why\?/,
      )
      const { usage } = await model.chat('Why?', { ignoreEos: true, stop: [] })
      expect(usage.outputTokens).toBe(3)
    } finally {
      await model.close()
    }
  })

  it('goes on to be as it was beside what is added to it', async () => {
    await store.copy('tiny', 'ns/other:1')
    expect((await store.list()).models.map(({ displayName }) => displayName).sort()).toEqual([
      'ns/other:1',
      'tiny:latest',
    ])
    const copied = join(directory, 'manifests', 'registry.ollama.ai', 'ns', 'other', '1')
    expect(readFileSync(copied).equals(before.get(written.files[0] ?? '') ?? Buffer.alloc(0))).toBe(true)
    await store.remove('ns/other:1')
  })
})
