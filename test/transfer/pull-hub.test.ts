import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { LlameroError } from '../../lib/errors.js'
import { digestOf, mediaTypes } from '../../lib/store/index.js'
import { pull, type PullOptions, type PullProgress } from '../../lib/transfer/index.js'
import { digest, isSmall, model, retry, tinyPackages } from './tiny-package.js'
import { serveHub, type HubScript } from './scripted-hub.js'

const tiny = tinyPackages()
const projector = Buffer.from('as good as a projector')
const other = Buffer.alloc(1000)
const files = { 'm-F16.gguf': other, 'm-Q4_K_M.gguf': model, 'README.md': Buffer.from('# m') }
const token = 'hf_canary'
const weights = `/org/repo/resolve/main/m-Q4_K_M.gguf`
const isWeights = ({ path }: { readonly path: string }) => path === weights

let home = ''
beforeEach(() => {
  home = join(tiny.directory, 'huggingface')
  mkdirSync(home)
})

async function pullFrom(
  script: Partial<HubScript>,
  { variables, ...options }: PullOptions = {},
  reference = 'hf.co/org/repo',
) {
  await using hub = await serveHub({ files, ...script })
  const news: PullProgress[] = []
  const known = { HF_HOME: home, HF_ENDPOINT: hub.endpoint, ...variables }
  const pulling = pull(tiny.store, reference, { retry, ...options, variables: known })
  try {
    for await (const one of pulling) news.push(one)
  } catch {
    // The outcome has it.
  }
  const outcome = await pulling.result.catch((error: unknown) => error as LlameroError)
  if (outcome instanceof LlameroError) expect(outcome.message).not.toMatch(/canary|127\.0\.0\.1|X-Signature/)
  for (const { headers } of hub.storage.asked) expect(headers.authorization).toBeUndefined()
  return { outcome, news, asked: hub.asked, stored: hub.storage.asked }
}

describe('a repository of Hugging Face', () => {
  it('gives its model, verified, under the name that Ollama gives it', async () => {
    const { outcome, news } = await pullFrom({}, {}, 'https://huggingface.co/org/repo:q4_k_m')
    expect(outcome).toMatchObject({
      displayName: 'huggingface.co/org/repo:q4_k_m',
      modelDigest: digest,
      annotations: { 'llamero.source': 'hf.co/org/repo/m-Q4_K_M.gguf' },
    })
    expect([...new Set(news.map(({ status }) => status))]).toEqual([
      'pulling manifest',
      `pulling ${digest.slice(7, 19)}`,
      'verifying sha256 digest',
      'writing manifest',
      'success',
    ])
    await tiny.expectStored('huggingface.co/org/repo:q4_k_m')
  })

  it('gives the projector beside it', async () => {
    const { outcome } = await pullFrom({ files: { ...files, 'mmproj-f16.gguf': projector } })
    if (outcome instanceof LlameroError) throw outcome
    expect(outcome.layers.map(({ mediaType, digest: of }) => [mediaType, of])).toEqual([
      [mediaTypes.model, digest],
      [mediaTypes.projector, digestOf(projector)],
    ])
    expect(readFileSync(tiny.store.blobs.path(digestOf(projector))).equals(projector)).toBe(true)
  })

  it("gives the settings that its maker laid beside it, as Ollama's hub does", async () => {
    const texts = {
      template: '{{ .Prompt }}',
      system: 'Be brief.',
      params: '{"temperature":0.5}',
    }
    const beside = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)]))
    const plainFiles = Object.keys(texts)
    const nested = { 'other/params': Buffer.from('{"top_k":1}') }
    const { outcome } = await pullFrom({ files: { ...files, ...beside, ...nested }, plainFiles })
    if (outcome instanceof LlameroError) throw outcome
    const { template, system, parameters } = await tiny.store.show(outcome.name)
    expect({ template, system, parameters }).toEqual({
      template: texts.template,
      system: texts.system,
      parameters: { temperature: 0.5 },
    })
  })

  it('is listed page by page, and never elsewhere than at the endpoint', async () => {
    const { outcome, asked } = await pullFrom({ pageSize: 1 })
    expect(outcome).toMatchObject({ modelDigest: digest })
    expect(asked.filter(({ path }) => path.startsWith('/api/'))).toHaveLength(3)
  })

  it('transfers nothing that is there already', async () => {
    await pullFrom({})
    expect((await pullFrom({})).stored).toEqual([])
    expect((await pullFrom({}, {}, 'hf.co/org/repo:Q4_K_M')).stored).toEqual([])
  })

  it('sends files in parts at the same time', async () => {
    const { outcome, stored } = await pullFrom({}, { partBytes: Math.ceil(model.length / 4) })
    expect(outcome).toMatchObject({ modelDigest: digest })
    expect(stored.length).toBeGreaterThan(4)
  })

  it('is gone on with after an interruption', async () => {
    const broken = await pullFrom({
      storage: (asked) => {
        if (isSmall(asked)) asked.honest()
        else if (asked.turn > 0) asked.response.writeHead(404).end()
        else {
          const { response, file, start, end } = asked
          const range = `bytes ${start}-${end - 1}/${file.length}`
          response.writeHead(206, { 'content-length': end - start, 'content-range': range })
          response.write(file.subarray(start, start + 200_000), () => setTimeout(() => response.socket?.end(), 100))
        }
      },
    })
    expect(broken.outcome).toMatchObject({ code: 'ERR_REGISTRY' })
    const { outcome, stored } = await pullFrom({})
    expect(outcome).toMatchObject({ modelDigest: digest })
    expect(stored[0]?.range).toMatch(/^bytes=[1-9]\d*-/)
    await tiny.expectStored('hf.co/org/repo')
  })
})

describe('a token', () => {
  const ways: [string, () => NonNullable<PullOptions['variables']>][] = [
    ['HF_TOKEN', () => ({ HF_TOKEN: token })],
    ['the file of hf auth login', () => (writeFileSync(join(home, 'token'), `${token}\n`), {})],
    [
      'the file in HF_TOKEN_PATH',
      () => (writeFileSync(join(home, 'other'), token), { HF_TOKEN_PATH: `${home}/other` }),
    ],
    [
      'the file in the folder of caches',
      () => (writeFileSync(join(home, 'token'), token), { HF_HOME: '', XDG_CACHE_HOME: tiny.directory }),
    ],
  ]
  it.each(ways)('from %s opens a repository with terms', async (_, variables) => {
    const { outcome } = await pullFrom({ token }, { variables: variables() })
    expect(outcome).toMatchObject({ modelDigest: digest })
  })

  it('opens a private repository', async () => {
    const { outcome } = await pullFrom({ token, isPrivate: true }, { variables: { HF_TOKEN: token } })
    expect(outcome).toMatchObject({ modelDigest: digest })
  })

  it('is told to nobody who does not ask for one', async () => {
    const { asked } = await pullFrom({}, { variables: { HF_TOKEN: token } })
    expect(asked.every(({ authorization }) => authorization === undefined)).toBe(true)
  })

  it('goes to the endpoint alone: the storage that it redirects to never sees it', async () => {
    const { asked, stored } = await pullFrom({ token }, { variables: { HF_TOKEN: token } })
    expect(asked.filter(isWeights).at(-1)?.authorization).toBe(`Bearer ${token}`)
    expect(stored.length).toBeGreaterThan(0)
  })
})

type Behave = NonNullable<HubScript['behave']>

interface Refused {
  readonly script?: Partial<HubScript>
  readonly variables?: NonNullable<PullOptions['variables']>
  readonly reference?: string
}

describe('is refused:', () => {
  const says =
    (status: number, text: string): Behave =>
    (_, response) => (response.writeHead(status).end(text), true)
  const zeros: HubScript['storage'] = ({ file, response, start, end }) => {
    response.writeHead(206, { 'content-range': `bytes ${start}-${end - 1}/${file.length}` })
    response.write(Buffer.alloc(end - start))
    response.end()
  }
  const endless: Behave = (_, response) => {
    response.setHeader('link', '<https://h/?cursor=1>; rel="next"').end('[]')
    return true
  }

  const cases: [string, Refused, string, RegExp][] = [
    ['a private repository without a token', { script: { token, isPrivate: true } }, 'ERR_REGISTRY', /401.*HF_TOKEN/s],
    ['files with terms without a token', { script: { token } }, 'ERR_REGISTRY', /401.*terms.*hf auth login/s],
    [
      'files whose terms nobody accepted',
      { script: { token, isGated: true }, variables: { HF_TOKEN: token } },
      'ERR_REGISTRY',
      /403.*terms/s,
    ],
    [
      'a token that is not accepted',
      { script: { token }, variables: { HF_TOKEN: 'hf_other_canary' } },
      'ERR_REGISTRY',
      /401/,
    ],
    ['a repository that is not there', { reference: 'hf.co/org/none' }, 'ERR_MODEL_NOT_FOUND', /hf\.co\/org\/none/],
    ['a quantisation that is not there', { reference: 'hf.co/org/repo:Q2_K' }, 'ERR_MODEL_NOT_FOUND', /"m-F16.gguf"/],
    ['S7: a file with another sha256 than stated', { script: { storage: zeros } }, 'ERR_DIGEST', /digest mismatch/],
    ['a file without a sha256', { script: { plainFiles: ['m-Q4_K_M.gguf'] } }, 'ERR_UNSUPPORTED', /no sha256/],
    ['a file that is no model', { reference: 'hf.co/org/repo:F16' }, 'ERR_MODEL_INVALID', /GGUF/],
    ['a list that makes no sense', { script: { behave: says(200, '<html>') } }, 'ERR_REGISTRY', /makes no sense/],
    [
      'an answer that is an error',
      { script: { behave: says(418, '{"error":"no tea"}') } },
      'ERR_REGISTRY',
      /418: no tea/,
    ],
    ['a list without an end', { script: { behave: endless } }, 'ERR_REGISTRY', /more files/],
    [
      'a mirror that is asked by http',
      { variables: { HF_ENDPOINT: 'http://mirror.example' } },
      'ERR_REGISTRY',
      /--insecure/,
    ],
    ['a mirror that is no address', { variables: { HF_ENDPOINT: 'mirror' } }, 'ERR_OPTION_INVALID', /HF_ENDPOINT/],
  ]
  it.each(cases)('%s', async (_, { script = {}, variables = {}, reference }, code, message) => {
    const { outcome } = await pullFrom(script, { variables }, reference)
    expect(outcome).toMatchObject({ code, message: expect.stringMatching(message) as string })
    await tiny.expectNothing()
  })
})

describe('too many requests', () => {
  it.each([
    [{ 'retry-after': '1' }, 1_000],
    [{ ratelimit: '"resolvers";r=0;t=1' }, 1_000],
  ])('are waited for as long as %j asks', async (headers, atLeastMs) => {
    const startedAt = performance.now()
    const busy: Behave = (_, response, turn) => turn < 1 && (response.writeHead(429, headers).end(), true)
    expect((await pullFrom({ behave: busy })).outcome).toMatchObject({ modelDigest: digest })
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(atLeastMs - 5)
  })

  it('that do not end are an error', async () => {
    const busy: Behave = (_, response) => (response.writeHead(429).end(), true)
    const { outcome, asked } = await pullFrom({ behave: busy })
    expect(outcome).toMatchObject({ code: 'ERR_REGISTRY', details: { httpStatus: 429 } })
    expect(asked).toHaveLength(retry.attempts)
  })
})
