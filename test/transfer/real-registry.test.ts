import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mediaTypes, Store } from '../../lib/store/index.js'
import { push, type PullOptions } from '../../lib/transfer/index.js'
import { privateCertificate } from '../support/private-authority.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { hasRegistry, startRegistry, user, whyNoRegistry } from './real-registry.js'
import { registryPulls } from './registry-pulls.js'
import { weights } from './scripted-registry.js'

const setup = registryPulls()
const temporary = temporaryDirectory()
const certificate = privateCertificate(temporary.path, ['localhost', '127.0.0.1'])

const manifestBytes = (store: Store, host: string, path: string) =>
  readFileSync(join(store.directory, 'manifests', host, ...path.split('/')))

const createModel = async (name: string) => {
  const { store } = setup
  const blob = await store.blobs.ingest([weights])
  const license = await store.addLayer(mediaTypes.license, 'Do as you like.\n')
  const template = await store.addLayer(mediaTypes.template, '{{ .Prompt }}')
  const model = { mediaType: mediaTypes.model, digest: blob.digest, size: blob.sizeBytes }
  return store.createModel(name, { layers: [model, template, license] })
}

describe.skipIf(!hasRegistry)(`a real registry${whyNoRegistry}`, () => {
  const there: [string, { certificate?: typeof certificate; asksWho?: boolean }, PullOptions][] = [
    ['by plain http', {}, {}],
    ['by plain http that asks who comes', { asksWho: true }, {}],
    ...(certificate === undefined
      ? []
      : ([
          ['with a certificate of a private authority', { certificate }, { insecure: false }],
          ['with such a certificate that asks who comes', { certificate, asksWho: true }, { insecure: false }],
        ] as [string, { certificate?: typeof certificate; asksWho?: boolean }, PullOptions][])),
  ]
  it.each(there)('%s takes a model and gives it back, equal to the bit', async (_, how, given) => {
    await using registry = await startRegistry(temporary.path, how as { asksWho?: boolean })
    const { host } = registry
    const variables = certificate && { SSL_CERT_FILE: certificate.authority }
    const options = setup.options({ ...given, ...(variables && { variables }) })
    if (how.asksWho === true) {
      await createModel(`${host}/team/model:1`)
      await expect(push(setup.store, `${host}/team/model:1`, options).result).rejects.toMatchObject({
        code: 'ERR_REGISTRY',
        message: expect.stringMatching(/docker login/) as string,
      })
      setup.logIn(host, user.name, user.password)
    }
    // Chunks of a fifth, a blob that fits into one request, and the manifest.
    await createModel(`${host}/team/model:1`)
    const pushing = push(setup.store, `${host}/team/model:1`, { ...options, chunkBytes: Math.ceil(weights.length / 5) })
    const statuses = new Set<string>()
    for await (const { status } of pushing) statuses.add(status)
    expect([...statuses].map((status) => status.replace(/[0-9a-f]{12}/, 'x'))).toEqual([
      ...['retrieving manifest', 'pushing x', 'pushing x', 'pushing x', 'pushing x', 'pushing manifest', 'success'],
    ])

    const before = setup.store
    const empty = new Store({ directory: join(setup.directory, 'second') })
    const { outcome } = await setup.pull(registry, options, 'team/model:1', empty)
    const sent = manifestBytes(before, host, 'team/model/1')
    await setup.expectStored(outcome, sent, empty)
    for (const blob of [weights, Buffer.from('{{ .Prompt }}')]) {
      const { digest } = await before.blobs.ingest([blob])
      expect(readFileSync(empty.blobs.path(digest)).equals(blob)).toBe(true)
    }
  })

  it('gives large blobs in parts', async () => {
    await using registry = await startRegistry(temporary.path)
    await createModel(`${registry.host}/a/b:1`)
    await push(setup.store, `${registry.host}/a/b:1`, setup.options())
    const empty = new Store({ directory: join(setup.directory, 'second') })
    const partBytes = Math.ceil(weights.length / 20)
    const { outcome } = await setup.pull(registry, { partBytes }, 'a/b:1', empty)
    await setup.expectStored(outcome, manifestBytes(setup.store, registry.host, 'a/b/1'), empty)
  })

  it('takes over blobs from another repository', async () => {
    await using registry = await startRegistry(temporary.path)
    for (const name of ['a/b:1', 'c/d:1']) {
      await createModel(`${registry.host}/${name}`)
      const news = []
      for await (const one of push(setup.store, `${registry.host}/${name}`, setup.options())) news.push(one)
      const sent = news.filter(({ completed = 0, total = 0 }) => completed > 0 && completed < total)
      if (name === 'c/d:1') expect(sent).toEqual([])
    }
    const empty = new Store({ directory: join(setup.directory, 'second') })
    expect((await setup.pull(registry, {}, 'c/d:1', empty)).outcome).toMatchObject({
      modelPath: expect.any(String) as string,
    })
  })

  it('says that it does not have a model', async () => {
    await using registry = await startRegistry(temporary.path)
    expect((await setup.pull(registry, {}, 'no/body:1')).outcome).toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
  })
})
