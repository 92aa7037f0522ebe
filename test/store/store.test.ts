import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestHex, mediaTypes, Store } from '../../lib/store/index.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import {
  createModel,
  manifestFile as manifestPath,
  modelNames,
  putManifest as writeManifestFile,
  weights,
} from './stored-models.js'

const temporary = temporaryDirectory()
let directory: string
let store: Store
let count = 0

beforeEach(() => {
  directory = join(temporary.path, `store-${(count += 1)}`)
  store = new Store({ directory })
})

const create = (name: string) => createModel(store, name)
const manifestFile = (name: string) => manifestPath(store, name)
const putManifest = (name: string, text: string) => {
  writeManifestFile(store, name, text)
}

const names = () => modelNames(store)

describe('a created model', () => {
  it('is laid out as Ollama does, and nothing else is left behind', async () => {
    const model = await create('ns/m:t')
    const { config, layers } = JSON.parse(readFileSync(manifestFile('ns/m:t'), 'utf8')) as Record<
      string,
      { digest: string }[] & { digest: string }
    >
    const blobs = [config, ...(layers ?? [])].map((layer) => layer?.digest.replace(':', '-')).sort()
    expect(readdirSync(join(directory, 'blobs')).sort()).toEqual(blobs)
    expect(readdirSync(join(directory, 'ingest'))).toEqual([])
    expect(readdirSync(directory).sort()).toEqual(['blobs', 'claims', 'ingest', 'manifests'])
    // G13: whoever maps it into memory ends when it is cut short.
    if (process.platform !== 'win32') expect(statSync(model.modelPath).mode & 0o777).toBe(0o444)
    expect(statSync(manifestFile('ns/m:t')).mode & 0o777).toBe(0o644)
    expect(readFileSync(model.modelPath)).toEqual(Buffer.from(weights))
  })

  it('has a config that tells family, size and quantisation', async () => {
    const { config } = await create('m')
    const document: unknown = JSON.parse(readFileSync(store.blobs.path(config.digest), 'utf8'))
    expect(document).toMatchObject({
      model_format: 'gguf',
      model_family: 'llama',
      model_families: ['llama'],
      os: 'linux',
      architecture: 'amd64',
    })
  })

  it('counts all layers and the config', async () => {
    const model = await create('m')
    expect(model.sizeBytes).toBe(weights.length + 'Do as you like.'.length + model.config.size)
  })

  it('is found in any case of letters, under the spelling it was made with', async () => {
    await create('Ns/Model:Tag')
    expect((await store.resolve('nS/mODEL:tAG')).displayName).toBe('Ns/Model:Tag')
    await create('ns/model:tag')
    expect(await names()).toEqual(['Ns/Model:Tag'])
  })

  it('is replaced in one step by a new one', async () => {
    const first = await create('m')
    const license = await store.addLayer(mediaTypes.license, 'Another.')
    const second = await store.createModel('m', { layers: [...first.layers.slice(0, 1), license] })
    expect(second.manifestDigest).not.toBe(first.manifestDigest)
    expect((await store.resolve('m')).manifestDigest).toBe(second.manifestDigest)
  })

  it('cannot be made of blobs that are not there', async () => {
    const model = await create('m')
    rmSync(store.blobs.path(model.modelDigest))
    await expect(store.writeManifest('n', readFileSync(manifestFile('m')))).rejects.toMatchObject({ code: 'ERR_STORE' })
    expect(await names()).toEqual(['m:latest'])
  })

  it('keeps the bytes of a manifest that came from elsewhere', async () => {
    await create('m')
    const bytes = Buffer.from(`  ${readFileSync(manifestFile('m'), 'utf8').trim()} `)
    await store.writeManifest('n', bytes)
    expect(readFileSync(manifestFile('n'))).toEqual(bytes)
  })
})

describe('list', () => {
  it('of a store that does not exist is empty', async () => {
    expect(await store.list()).toEqual({ models: [], warnings: [] })
  })

  it('S13: shows the others beside an empty, a half and a garbage manifest, with a warning and a cure for each', async () => {
    await create('good')
    putManifest('empty', '')
    putManifest('half', readFileSync(manifestFile('good'), 'utf8').slice(0, 50))
    putManifest('ns/garbage:t', '\0\0\0')
    const { models, warnings } = await store.list()
    expect(models.map(({ displayName }) => displayName)).toEqual(['good:latest'])
    expect(warnings.map(({ displayName }) => displayName).sort()).toEqual([
      'empty:latest',
      'half:latest',
      'ns/garbage:t',
    ])
    for (const { displayName, message } of warnings) {
      expect(message).toContain(displayName)
      expect(message).toMatch(/pull the model again/i)
    }
    await expect(store.resolve('empty')).rejects.toMatchObject({ code: 'ERR_MANIFEST_INVALID' })
    expect(await store.find('empty')).toBeUndefined()
    expect((await store.resolve('good')).displayName).toBe('good:latest')
  })

  it('S2: survives foreign files, folders, links and pipes among the manifests', async () => {
    await create('good')
    const root = join(directory, 'manifests')
    const models = join(root, 'registry.ollama.ai', 'library')
    writeFileSync(join(root, 'registry.ollama.ai', 'x.meta'), '')
    writeFileSync(join(models, 'x.meta'), '')
    mkdirSync(join(models, 'good', 'folder'))
    mkdirSync(join(models, '.hidden'))
    symlinkSync('/etc/passwd', join(models, 'good', 'link'))
    symlinkSync(root, join(models, 'cycle'))
    execFileSync('mkfifo', [join(models, 'good', 'pipe')])
    const { models: found, warnings } = await store.list()
    expect(found.map(({ displayName }) => displayName)).toEqual(['good:latest'])
    // What is behind a link may be a manifest, and is looked at like any other.
    expect(warnings.map(({ displayName }) => displayName)).toEqual(['good:link'])
    await expect(store.resolve('good:pipe')).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
  })

  it('puts the latest change first', async () => {
    await create('a')
    await create('b')
    execFileSync('touch', ['-d', '2001-01-01', manifestFile('b')])
    expect((await store.list()).models.map(({ displayName }) => displayName)).toEqual(['a:latest', 'b:latest'])
  })
})

describe('resolve', () => {
  it('of an unknown model says so', async () => {
    await expect(store.resolve('nothing')).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: expect.stringContaining('nothing:latest') as string,
    })
  })

  it.each([
    [
      'missing',
      (path: string) => {
        rmSync(path)
      },
    ],
    [
      'a byte short',
      (path: string) => {
        truncateSync(path, weights.length - 1)
      },
    ],
    [
      'empty',
      (path: string) => {
        truncateSync(path, 0)
      },
    ],
  ])('refuses weights that are %s, by digest and with the cure', async (_, damage) => {
    const { modelPath, modelDigest } = await create('m')
    damage(modelPath)
    const error: unknown = await store.resolve('m').catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'ERR_STORE', details: { digest: modelDigest } })
    expect((error as Error).message).toMatch(/pull the model again/i)
    expect((error as Error).message).not.toContain(modelPath)
  })

  it('refuses a model without GGUF weights', async () => {
    const license = await store.addLayer(mediaTypes.license, 'x')
    const manifest = { schemaVersion: 2, config: license, layers: [license] }
    await store.writeManifest('m', Buffer.from(JSON.stringify(manifest)))
    await expect(store.resolve('m')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
  })
})

describe('a store that cannot be written', () => {
  it.skipIf(process.getuid?.() === 0)('says so in one sentence', async () => {
    mkdirSync(directory)
    chmodSync(directory, 0o555)
    await expect(create('m')).rejects.toMatchObject({
      code: 'ERR_STORE',
      message: expect.stringMatching(/permission/) as string,
    })
  })

  it('says so when a file stands in its way', async () => {
    writeFileSync(directory, 'a file')
    await expect(create('m')).rejects.toMatchObject({ code: 'ERR_STORE' })
  })
})

describe('verify', () => {
  it('finds each flipped bit and each cut', async () => {
    const { modelDigest, modelPath } = await create('m')
    expect(await store.blobs.verify(modelDigest)).toBe(true)
    for (const at of [0, weights.length >> 1, weights.length - 1]) {
      const bytes = Buffer.from(weights)
      bytes[at] = (bytes[at] ?? 0) ^ 1
      writeFileSync(modelPath, bytes)
      expect(await store.blobs.verify(modelDigest)).toBe(false)
    }
    expect(digestHex(modelDigest)).toHaveLength(64)
  })
})
