import { LlameroError } from '../errors.js'
import { checkName, type ModelName } from '../store/index.js'
import { plainText, shortHash } from './plain-name.js'

/** A GGUF file inside an npm package. */
export interface NpmReference {
  readonly type: 'npm'
  readonly text: string
  /** With its scope, if it has one. */
  readonly package: string
  /** A version or a tag; `latest` if left out. */
  readonly version?: string
  /** Path of the file inside the package; the only GGUF file if left out. */
  readonly member?: string
}

/** Reads `npm:package[@version][/path/inside]`, the package perhaps `@scope/name`. Errors: `ERR_OPTION_INVALID`. */
export function parseNpmReference(text: string): NpmReference {
  const [, scope, rest = ''] = /^npm:(?:@([A-Za-z0-9][A-Za-z0-9._~-]{0,100})\/)?(.*)$/s.exec(text) ?? []
  const [, name, version, member] =
    /^([A-Za-z0-9][A-Za-z0-9._~-]{0,213})(?:@([A-Za-z0-9][A-Za-z0-9.+_-]{0,100}))?(?:\/(.{1,1000}))?$/.exec(rest) ?? []
  if (name === undefined) {
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      `Expected a package such as "npm:package", "npm:@scope/package@1.0.0" or "npm:package@1.0.0/path/inside.gguf", but got ${JSON.stringify(text.slice(0, 200))}.`,
    )
  }
  return {
    type: 'npm',
    text,
    package: scope === undefined ? name : `@${scope}/${name}`,
    ...(version !== undefined && { version }),
    ...(member !== undefined && { member }),
  }
}

/**
 * The name under which the store keeps a model that came from an npm package: the host is `npm`, the namespace the
 * package's scope, the tag its version, or `latest` where none was asked for, and a part for the file where that was named.
 */
export function npmModelName({ package: name, version = 'latest', member }: NpmReference): ModelName {
  const [last = '', scope = '@library'] = name.split('/').reverse()
  const file = member === undefined ? '' : `-${shortHash(member)}`
  return checkName({
    scheme: 'https',
    host: 'npm',
    namespace: plainText(scope.slice(1), 80).replaceAll('.', '-'),
    model: plainText(last, 80),
    tag: `${plainText(version, 60)}${file}`,
  })
}
