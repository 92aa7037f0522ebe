import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf, Store } from '../../lib/store/index.js'
import { exportModels, type TransferProgress } from '../../lib/transfer/index.js'
import { createModel, weights } from '../store/stored-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const temporary = temporaryDirectory()
let folder: string
let store: Store
let count = 0
beforeEach(async () => {
  folder = join(temporary.path, `case-${(count += 1)}`)
  mkdirSync(folder)
  store = new Store({ directory: join(folder, 'store') })
  await createModel(store, 'a', 'One.')
  await createModel(store, 'host:1/ns/b:2', 'Two.')
})

const file = (name: string) => join(folder, name)
const tar = (...args: string[]) => execFileSync('tar', args, { encoding: 'latin1', maxBuffer: 2 ** 28 })
const weightsFile = () => store.blobs.path(digestOf(weights))

describe('an export', () => {
  it('is a tar file that the system lists: index, manifests, then each blob once', async () => {
    const models = await exportModels(store, ['host:1/ns/b:2', 'a'], file('x.tar'))
    const blob = (digest: string) => `blobs/sha256/${digest.slice(7)}`
    const stored = [await store.resolve('a'), await store.resolve('host:1/ns/b:2')]
    const digests = stored.flatMap(({ config, layers }) => [config, ...layers].map((layer) => layer.digest))
    expect(tar('tf', file('x.tar')).trim().split('\n')).toEqual([
      'oci-layout',
      'index.json',
      ...stored.map(({ manifestDigest }) => blob(manifestDigest)).sort(),
      ...[...new Set(digests)].map(blob).sort(),
    ])
    expect(models.map(({ displayName }) => displayName)).toEqual(['host:1/ns/b:2', 'a:latest'])
    expect(new Set(tar('tvf', file('x.tar'), '--full-time', '--utc').match(/^\S+ \S+|\d{4}-.*:\d\d /gm))).toEqual(
      new Set(['-rw-r--r-- 0/0', '1970-01-01 00:00:00 ']),
    )
  })

  it('holds its blobs until the end, though the models are removed meanwhile', async () => {
    const chunks: Uint8Array[] = []
    await exportModels(store, ['a'], async (bytes) => {
      chunks.push(bytes.slice())
      if (chunks.length > 1) return
      const other = new Store({ directory: store.directory })
      for (const name of ['a', 'host:1/ns/b:2']) await other.remove(name)
      await other.prune({ minAgeMs: 0 })
    })
    writeFileSync(file('x.tar'), Buffer.concat(chunks))
    expect(tar('tf', file('x.tar')).trim().split('\n')).toContain(`blobs/sha256/${digestOf(weights).slice(7)}`)
    expect((await store.prune({ minAgeMs: 0 })).removedBlobs).toContain(digestOf(weights))
  })

  it('unpacks to an OCI image layout whose files are what their names say', async () => {
    await exportModels(store, ['a'], file('x.tar'))
    mkdirSync(file('layout'))
    tar('xf', file('x.tar'), '-C', file('layout'))
    expect(readFileSync(file('layout/oci-layout'), 'utf8')).toBe('{"imageLayoutVersion":"1.0.0"}')
    const { bytes, digest, manifest } = await store.readManifest('a')
    expect(JSON.parse(readFileSync(file('layout/index.json'), 'utf8'))).toEqual({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [
        {
          mediaType: manifest.mediaType,
          digest,
          size: bytes.length,
          annotations: {
            'io.containerd.image.name': 'registry.ollama.ai/library/a:latest',
            'org.opencontainers.image.ref.name': 'a:latest',
          },
        },
      ],
    })
    const blobs = file('layout/blobs/sha256')
    for (const name of readdirSync(blobs))
      expect(
        createHash('sha256')
          .update(readFileSync(join(blobs, name)))
          .digest('hex'),
      ).toBe(name)
    expect(readFileSync(join(blobs, digest.slice(7))).equals(bytes)).toBe(true)
  })

  it('gives the same bytes for the same models, in whatever order and case they are named, and however often', async () => {
    await exportModels(store, ['a', 'host:1/ns/b:2'], file('x.tar'))
    const chunks: Uint8Array[] = []
    const sink = (bytes: Uint8Array) => Promise.resolve(void chunks.push(Uint8Array.from(bytes)))
    await exportModels(store, ['HOST:1/ns/B:2', 'A:latest', 'a'], sink)
    expect(Buffer.concat(chunks).equals(readFileSync(file('x.tar')))).toBe(true)
  })

  it('tells how it goes', async () => {
    const news: TransferProgress[] = []
    for await (const one of exportModels(store, ['a'], file('x.tar'))) news.push(one)
    const statuses = [...new Set(news.map(({ status }) => status))]
    expect(statuses.slice(0, 1).concat(statuses.slice(-1))).toEqual(['retrieving manifest', 'success'])
    expect(statuses).toContain(`saving ${digestOf(weights).slice(7, 19)}`)
    expect(news).toContainEqual(expect.objectContaining({ completed: weights.length, total: weights.length }))
  })

  it('replaces a file, and what a link leads to', async () => {
    writeFileSync(file('x.tar'), 'old')
    symlinkSync('x.tar', file('link.tar'))
    await exportModels(store, ['a'], file('link.tar'))
    expect(readlinkSync(file('link.tar'))).toBe('x.tar')
    expect(tar('tf', file('x.tar'))).toContain('index.json')
    expect(readdirSync(folder).sort()).toEqual(['link.tar', 'store', 'x.tar'])
  })

  it('writes to a device', async () => {
    await exportModels(store, ['a'], '/dev/null')
    expect(existsSync('/dev/null')).toBe(true)
  })
})

describe('an export leaves no file', () => {
  const damage: Readonly<Record<string, () => void>> = {
    'holds other bytes': () => writeFileSync(weightsFile(), Buffer.alloc(weights.length)),
    'has grown': () => writeFileSync(weightsFile(), Buffer.concat([weights, weights])),
    'was cut off': () => writeFileSync(weightsFile(), ''),
  }
  it.each(Object.keys(damage))('if a blob %s', async (what) => {
    damage[what]?.()
    await expect(exportModels(store, ['a'], file('x.tar'))).rejects.toMatchObject({
      code: what === 'holds other bytes' ? 'ERR_DIGEST' : 'ERR_STORE',
    })
    expect(readdirSync(folder)).toEqual(['store'])
  })

  it.each([
    [['nothing'], 'x.tar', 'ERR_MODEL_NOT_FOUND', /not in the store/],
    [['a', '../b'], 'x.tar', 'ERR_NAME_INVALID', /model name/],
    [[], 'x.tar', 'ERR_OPTION_INVALID', /at least one/],
    [['a'], '.', 'ERR_STORE', /it is a folder; give the name of a file/],
    [['a'], 'nowhere/x.tar', 'ERR_STORE', /its folder does not exist/],
  ])('of %j to %s', async (names, path, code, message) => {
    const failing = exportModels(store, names, file(path)).result
    await expect(failing).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string })
    expect(readdirSync(folder)).toEqual(['store'])
  })

  it('when it is stopped', async () => {
    const running = exportModels(store, ['a'], file('x.tar'))
    for await (const { completed } of running) if (completed !== undefined) break
    await expect(running).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    expect(readdirSync(folder)).toEqual(['store'])
  })

  it('when the disk is full', () => {
    const code = `import { exportModels } from './lib/transfer/index.ts'; import { Store } from './lib/store/index.ts'
      exportModels(new Store({ directory: ${JSON.stringify(store.directory)} }), ['a'], ${JSON.stringify(file('x.tar'))}).result.catch((e) => console.log(e.code))`
    const args = [
      '-c',
      'ulimit -f 100; exec "$@"',
      '-',
      process.execPath,
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      code,
    ]
    expect(execFileSync('bash', args, { encoding: 'utf8' })).toBe('ERR_DISK_FULL\n')
    expect(readdirSync(folder)).toEqual(['store'])
  })
})

describe('a sink', () => {
  it('that fails ends the export with its own error', async () => {
    const failing = () => Promise.reject(new Error('the line broke'))
    await expect(exportModels(store, ['a'], failing)).rejects.toThrow('the line broke')
  })

  it('that takes nothing more does not keep it from being stopped', async () => {
    const stopping = new AbortController()
    const stuck = () => new Promise<void>(() => setTimeout(() => stopping.abort('enough'), 20))
    await expect(exportModels(store, ['a'], stuck, { signal: stopping.signal })).rejects.toBe('enough')
  })
})
