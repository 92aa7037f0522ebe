import { LlameroError } from '../errors.js'
import { checkName, parseDigest, type Digest, type ModelName } from '../store/index.js'
import { plainStem, shortHash } from './plain-name.js'

/** A GGUF file at an address. */
export interface UrlReference {
  readonly type: 'url'
  readonly text: string
  /** Without a fragment. */
  readonly url: URL
  /** What the file must hash to; whatever the server sends is taken if left out. */
  readonly digest?: Digest
}

/** Whether a text is the address of a GGUF file. */
export function isUrlReference(text: string): boolean {
  return /^https?:\/\/.*\.gguf([?#]|$)/i.test(text)
}

/** Reads `https://host/path/model.gguf[?query][#sha256=<64 hexadecimal digits>]`. Errors: `ERR_OPTION_INVALID`. */
export function parseUrlReference(text: string): UrlReference {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const pin = url?.hash ?? ''
  const [, digits] = /^#sha256[=:]([0-9a-f]{64})$/i.exec(pin) ?? []
  if (url === undefined || (pin !== '' && digits === undefined)) {
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      'Expected the address of a GGUF file such as "https://host/model.gguf", perhaps with "#sha256=" and 64 hexadecimal digits behind it.',
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      'Expected an address without user and password: it is shown and stored. Download the file by other means and give its path.',
    )
  }
  url.hash = ''
  return { type: 'url', text, url, ...(digits !== undefined && { digest: parseDigest(`sha256:${digits}`) }) }
}

/** The name of a model that came from an address: the host is `url`, the tag tells addresses (and pins) apart. */
export function urlModelName({ url, digest }: Pick<UrlReference, 'url' | 'digest'>): ModelName {
  return checkName({
    scheme: 'https',
    host: 'url',
    namespace: 'library',
    model: plainStem(fileNameOf(url)),
    tag: shortHash(`${url.href}#${digest ?? ''}`),
  })
}

/** The last part of an address's path, as a person would write it. */
export function fileNameOf({ pathname }: URL): string {
  const name = pathname.slice(pathname.lastIndexOf('/') + 1)
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
