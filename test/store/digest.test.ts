import { describe, expect, it } from 'vitest'
import { digestOf, parseDigest, shortDigest } from '../../lib/store/index.js'
import { blobPath } from '../../lib/store/layout.js'

const hex = 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53'

describe('parseDigest', () => {
  it.each([
    ['with a colon', `sha256:${hex}`],
    ['with a dash, as file names have it', `sha256-${hex}`],
    ['in capitals', `sha256:${hex.toUpperCase()}`],
  ])('reads a digest %s', (_, text) => {
    expect(parseDigest(text)).toBe(`sha256:${hex}`)
  })

  it.each([
    ['63 digits', `sha256:${hex.slice(1)}`],
    ['65 digits', `sha256:${hex}0`],
    ['a path instead of digits', 'sha256:../../x'],
    ['a path behind the digits', `sha256-${hex}/../x`],
    ['a path of the right length', `sha256:${'../'.repeat(21)}x`],
    ['another algorithm', `sha512:${hex}`],
    ['full-width digits', `sha256:${'０'.repeat(64)}`],
    ['escaped dots', `sha256:%2e%2e${hex.slice(6)}`],
    ['a NUL inside', `sha256:${hex.slice(1)}\0`],
    ['a newline at the end', `sha256:${hex}\n`],
    ['a newline in place of a digit', `sha256:${hex.slice(1)}\n`],
    ['a space in front', ` sha256:${hex}`],
    ['a letter that is none of the digits', `sha256:${hex.slice(1)}g`],
    ['digits alone', hex],
    ['nothing', ''],
    ['no string', 5],
    ['null', null],
    ['an object that prints as one', { toString: () => `sha256:${hex}` }],
  ])('S1, S6: refuses %s', (_, text) => {
    expect(() => parseDigest(text)).toThrow(expect.objectContaining({ code: 'ERR_DIGEST' }))
  })
})

describe('digests', () => {
  it('are those of the bytes', () => {
    expect(digestOf('')).toBe('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  })
  it('are shown by 12 digits', () => {
    expect(shortDigest(parseDigest(`sha256:${hex}`))).toBe('b179c9523d0e')
  })
  it('become the file names that Ollama gives blobs', () => {
    expect(blobPath('/models', parseDigest(`sha256:${hex}`)).replaceAll('\\', '/')).toBe(`/models/blobs/sha256-${hex}`)
  })
})
