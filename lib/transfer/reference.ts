import { LlameroError } from '../errors.js'
import { parseName, type ModelName } from '../store/index.js'
import { isHubReference, parseHubReference, type HubReference } from './hub-reference.js'
import { parseNpmReference, type NpmReference } from './npm-reference.js'
import { parsePackageReference, type PackageReference } from './package-reference.js'
import { isUrlReference, parseUrlReference, type UrlReference } from './url-reference.js'

/** Where a model is to be had, read from the text that a person types. */
export type Reference =
  | { readonly type: 'name'; readonly text: string; readonly name: ModelName }
  | HubReference
  | UrlReference
  | PackageReference
  | NpmReference
  | { readonly type: 'file'; readonly text: string; readonly path: string }

/** The doors that are open, for the messages of errors. */
export const openDoors =
  'a model name such as "smollm2:135m" or "host/namespace/model:tag", a repository such as "hf.co/org/repo:Q4_K_M", "https://host/model.gguf", "pypi:package[==version][/path/inside]", "npm:package[@version][/path/inside]", or the path of a GGUF file such as "./model.gguf"'

/**
 * Reads a reference: a store name such as `smollm2:135m`, `hf.co/org/repo[:quantisation or file]`,
 * `https://host/model.gguf[#sha256=…]`,
 * `pypi:package[==version][/path/inside]`, `npm:package[@version][/path/inside]`, or a file as `./x.gguf`, `/x`, `~`-less home paths, `C:\x` or `file:`.
 *
 * @param text what a person typed; errors: `ERR_NAME_INVALID`, `ERR_OPTION_INVALID`
 */
export function parseReference(text: string): Reference {
  if (text === '')
    throw new LlameroError('ERR_NAME_INVALID', `Expected a model, but got an empty text. Give ${openDoors}.`)
  if (text.startsWith('pypi:')) return parsePackageReference(text)
  if (text.startsWith('npm:')) return parseNpmReference(text)
  if (isHubReference(text)) return parseHubReference(text)
  if (isUrlReference(text)) return parseUrlReference(text)
  if (text.startsWith('file:')) return { type: 'file', text, path: filePath(text) }
  if (isPath(text)) return { type: 'file', text, path: text }
  return { type: 'name', text, name: parseName(text) }
}

function isPath(text: string): boolean {
  return /^(\.{0,2}[/\\]|[A-Za-z]:[/\\])/.test(text) || (/\.gguf$/i.test(text) && !text.includes(':'))
}

function filePath(text: string): string {
  if (!text.startsWith('file://')) return text.slice('file:'.length)
  const path = fileAddressPath(text)
  if (path === undefined)
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      `Expected ${JSON.stringify(text)} to be the address of a file on this machine.`,
    )
  return path
}

/** The path behind a `file://` address on this machine. */
export function fileAddressPath(address: string): string | undefined {
  try {
    const url = new URL(address)
    if (url.protocol !== 'file:' || (url.hostname !== '' && url.hostname !== 'localhost')) return undefined
    const path = decodeURIComponent(url.pathname)
    return path.includes('\0') ? undefined : path.replace(/^\/([A-Za-z]:)/, '$1')
  } catch {
    return undefined
  }
}
