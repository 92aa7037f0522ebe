import { describe, expect, it } from 'vitest'
import { digestOf, encodeManifest, mediaTypes, parseManifest } from '../../lib/store/index.js'

const digest = digestOf('x')
const layer = (fields: object = {}) => ({ mediaType: mediaTypes.model, digest, size: 1, ...fields })
const whole = {
  schemaVersion: 2,
  mediaType: mediaTypes.manifest,
  config: layer({ mediaType: mediaTypes.config }),
  layers: [layer()],
}
const document = (fields: object = {}) => JSON.stringify({ ...whole, ...fields })
const code = (text: string | Uint8Array) => {
  try {
    parseManifest(Buffer.from(text))
    return 'read'
  } catch (error) {
    return (error as { code?: string }).code
  }
}

describe('parseManifest', () => {
  it.each([
    ['a whole manifest', document()],
    ['a manifest without its own media type', document({ mediaType: undefined })],
    ['an OCI manifest', document({ mediaType: mediaTypes.ociManifest })],
    ['unknown keys', document({ more: { layers: [] } })],
    ['unknown media types of layers', document({ layers: [layer({ mediaType: 'x/y' })] })],
    ['one digest as layer and config', document()],
    ['one key in two objects', document({ a: { k: 1 }, b: { k: 2 } })],
    ['an empty layer, where its digest says so', document({ layers: [layer({ digest: digestOf(''), size: 0 })] })],
    ['1,024 layers', document({ layers: Array.from({ length: 1024 }, () => layer()) })],
    ['a text with braces and escapes', document({ note: '{"layers": \\" "layers":' })],
  ])('reads %s', (_, text) => {
    expect(code(text)).toBe('read')
  })

  it.each([
    ['S13: nothing', ''],
    ['S13: half a manifest', document().slice(0, 100)],
    ['S13: garbage', Buffer.from([0, 255, 254, 1, 2, 3])],
    ['null', 'null'],
    ['an array', '[]'],
    ['S10: layers and manifests', document({ manifests: [] })],
    ['S10: layers twice', document().replace('"layers"', '"layers":[],"layers"')],
    ['S10: layers twice, once in escapes', document().replace('"layers"', '"\\u006cayers":[],"layers"')],
    ['S10: a digest twice', document().replace('"digest"', '"digest" : "x", "digest"')],
    ['S10: another schema version', document({ schemaVersion: 1 })],
    ['S10: another media type', document({ mediaType: 'application/vnd.oci.image.index.v1+json' })],
    ['S8: size 0', document({ layers: [layer({ size: 0 })] })],
    ['S8: size -1', document({ layers: [layer({ size: -1 })] })],
    ['S8: size 2^53', document({ layers: [layer({ size: 2 ** 53 })] })],
    ['S8: size 1e300', document({ layers: [layer({ size: 1e300 })] })],
    ['S8: size "5"', document({ layers: [layer({ size: '5' })] })],
    ['S8: size null', document({ layers: [layer({ size: null })] })],
    ['S8: size 1.5', document({ config: layer({ size: 1.5 }) })],
    ['S9: 1,025 layers', document({ layers: Array.from({ length: 1025 }, () => layer()) })],
    ['S9: 4 MiB and a byte', document() + ' '.repeat(4 * 1024 * 1024 + 1 - document().length)],
    ['layers that are no array', document({ layers: {} })],
    ['no config', document({ config: undefined })],
    ['a layer without media type', document({ layers: [layer({ mediaType: undefined })] })],
  ])('refuses %s', (_, text) => {
    expect(code(text)).toBe('ERR_MANIFEST_INVALID')
  })

  it.each([
    ['in the config', document({ config: layer({ digest: 'sha256:../../x' }) })],
    ['in the first layer', document({ layers: [layer({ digest: `${digest}/../x` })] })],
    ['in a later layer', document({ layers: [layer(), layer(), layer({ digest: '' })] })],
  ])('S1: refuses a malformed digest %s', (_, text) => {
    expect(code(text)).toBe('ERR_DIGEST')
  })

  it('reads exactly 4 MiB', () => {
    expect(code(document() + ' '.repeat(4 * 1024 * 1024 - document().length))).toBe('read')
  })

  it('hashes the very bytes it was given', () => {
    const bytes = Buffer.from(` ${document()}\n\n`)
    expect(parseManifest(bytes).digest).toBe(digestOf(bytes))
  })
})

describe('encodeManifest', () => {
  it('writes what Ollama writes: compact, keys in its order, a newline at the end', () => {
    const { manifest } = parseManifest(Buffer.from(document()))
    expect(Buffer.from(encodeManifest(manifest)).toString()).toBe(
      `{"schemaVersion":2,"mediaType":"${mediaTypes.manifest}","config":{"mediaType":"${mediaTypes.config}","digest":"${digest}","size":1},` +
        `"layers":[{"mediaType":"${mediaTypes.model}","digest":"${digest}","size":1}]}\n`,
    )
  })
})
