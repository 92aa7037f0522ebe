import { deepStrictEqual, ok } from 'node:assert/strict'
import { resolve, sep } from 'node:path'
import fc from 'fast-check'
import { LlameroError } from '../../lib/errors.js'
import {
  digestOf,
  encodeManifest,
  mediaTypes,
  parseDigest,
  parseManifest,
  parseName,
  sameName,
  displayName,
  type Manifest,
} from '../../lib/store/index.js'
import { blobPath, manifestPath } from '../../lib/store/layout.js'
import { parseConfig } from '../../lib/store/model-config.js'
import { parseParameters } from '../../lib/store/model-parameters.js'

const directory = resolve('store')
const digests = ['', 'a', 'b', 'c'].map((text) => digestOf(text))
const anyPiece = fc.oneof(
  fc.constantFrom(
    'library',
    'smollm2',
    'LATEST',
    '135m',
    'host.example',
    '5000',
    '..',
    '.',
    '-',
    '_',
    '~',
    'con',
    'aux',
  ),
  fc.constantFrom(
    ':',
    '/',
    '@',
    '\\',
    '//',
    '://',
    'https://',
    'sha256:',
    '%2e%2e',
    '\0',
    '\n',
    ' ',
    '‮',
    'é',
    '\ud800',
  ),
  fc.string({ maxLength: 4 }),
  fc.constantFrom('a'.repeat(79), 'b'.repeat(80), 'c'.repeat(81), 'd'.repeat(350)),
)
/** Names, and what is nearly one. */
const anyNameText = fc.array(anyPiece, { maxLength: 8 }).map((pieces) => pieces.join(''))

const anyLayer = fc.record(
  {
    mediaType: fc.constantFrom(...Object.values(mediaTypes), 'application/json'),
    digest: fc.constantFrom(...digests.slice(1)),
    size: fc.integer({ min: 1, max: 2 ** 40 }),
  },
  { noNullPrototype: true },
)
const anyManifest: fc.Arbitrary<Manifest> = fc.record(
  {
    schemaVersion: fc.constant(2 as const),
    mediaType: fc.constant(mediaTypes.manifest),
    config: anyLayer,
    layers: fc.array(anyLayer, { maxLength: 6 }),
  },
  { noNullPrototype: true },
)

interface Cut {
  readonly at: number
  readonly remove: number
  readonly insert: Uint8Array
}
const anyCut: fc.Arbitrary<Cut> = fc.record({
  at: fc.nat(2000),
  remove: fc.nat(8),
  insert: fc.oneof(
    fc.uint8Array({ maxLength: 4 }),
    fc
      .constantFrom(
        '"',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        'null',
        '-1',
        '1e999',
        '0.5',
        '9007199254740993',
        '\\u0000',
        '"size":0,',
        '"__proto__":{},',
        '"layers":[],',
      )
      .map((text) => Uint8Array.from(Buffer.from(text))),
  ),
})
const anyMutant = fc.tuple(anyManifest, fc.array(anyCut, { minLength: 1, maxLength: 4 })).map(([manifest, cuts]) => {
  let bytes = Buffer.from(encodeManifest(manifest))
  for (const { at, remove, insert } of cuts) {
    const start = at % (bytes.length + 1)
    bytes = Buffer.concat([bytes.subarray(0, start), insert, bytes.subarray(start + remove)])
  }
  return bytes
})

/** The value, or undefined if it is refused with one of the codes; any other failure is thrown. */
function unlessRefused<Value>(codes: readonly string[], read: () => Value): Value | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof LlameroError && codes.includes(error.code) && error.message.length < 2000) return undefined
    throw error
  }
}

/** What holds for any text and any bytes: the tests try some of each, the campaign many. */
export const properties = {
  'a text is a name that comes back as it was and lies inside the store, or is refused': fc.property(
    anyNameText,
    (text) => {
      const name = unlessRefused(['ERR_NAME_INVALID'], () => parseName(text))
      if (name === undefined) return
      ok(sameName(parseName(displayName(name)), name))
      const root = resolve(directory, 'manifests') + sep
      for (const platform of ['linux', 'win32'] as const) {
        // Windows has names of its own.
        const found = unlessRefused(['ERR_NAME_INVALID'], () => manifestPath(directory, name, platform))
        if (found === undefined && platform === 'win32') continue
        const path = resolve(found ?? '')
        ok(path.startsWith(root), path)
        deepStrictEqual(path.slice(root.length).split(sep).length, 4)
      }
    },
  ),
  'a text is a digest whose file lies among the blobs, or is refused': fc.property(
    fc.oneof(
      anyNameText,
      fc.constantFrom(...digests),
      fc.string().map((text) => `sha256:${text}`),
    ),
    (text) => {
      const digest = unlessRefused(['ERR_DIGEST'], () => parseDigest(text))
      if (digest !== undefined) ok(/^sha256-[0-9a-f]{64}$/.test(blobPath(directory, digest).slice(-71)))
    },
  ),
  'a manifest comes back as it was': fc.property(anyManifest, (manifest) => {
    deepStrictEqual(parseManifest(encodeManifest(manifest)).manifest, manifest)
  }),
  'a manifest with changes in it is read, and then written and read the same, or is refused': fc.property(
    anyMutant,
    (bytes) => {
      const read = unlessRefused(['ERR_MANIFEST_INVALID', 'ERR_DIGEST'], () => parseManifest(bytes))
      if (read === undefined) return
      deepStrictEqual(read.digest, digestOf(bytes))
      deepStrictEqual(parseManifest(encodeManifest(read.manifest)).manifest, read.manifest)
    },
  ),
  'any document is a config, is parameters, or is not': fc.property(fc.jsonValue(), (document) => {
    parseConfig(document)
    const parameters = parseParameters(document)
    if (typeof parameters === 'string') return
    for (const value of Object.values(parameters)) ok(['number', 'boolean', 'string', 'object'].includes(typeof value))
  }),
}
