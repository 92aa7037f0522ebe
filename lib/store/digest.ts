import { createHash } from 'node:crypto'
import { LlameroError } from '../errors.js'

declare const digestBrand: unique symbol

/** The name of some bytes: `sha256:` and 64 lower-case hexadecimal digits. Only {@link parseDigest} makes one. */
export type Digest = string & { readonly [digestBrand]: true }

/**
 * The one constructor of digests. Accepts what Ollama accepts (`sha256:` or `sha256-`, then 64 hexadecimal digits of
 * either case) and brings it to one spelling, so that nothing else can ever become part of a blob's path.
 *
 * @param text anything; whatever is not such a string throws `ERR_DIGEST`
 */
export function parseDigest(text: unknown): Digest {
  if (typeof text === 'string' && /^sha256[:-][0-9a-fA-F]{64}$/.test(text)) {
    return `sha256:${text.slice(7).toLowerCase()}` as Digest
  }
  throw new LlameroError(
    'ERR_DIGEST',
    `Expected a digest, "sha256:" and 64 hexadecimal digits, but got ${shown(text)}.`,
  )
}

/** The digest of bytes that are in memory. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
}

/** The 64 hexadecimal digits of a digest. */
export function digestHex(digest: Digest): string {
  return digest.slice(7)
}

/** The first 12 hexadecimal digits of a digest, as Ollama shows it. */
export function shortDigest(digest: Digest): string {
  return digest.slice(7, 19)
}

function shown(value: unknown): string {
  return typeof value === 'string'
    ? JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value)
    : typeof value
}
