import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LlameroError } from '../errors.js'
import type { NpmClient } from './npm-client.js'
import type { NpmReference } from './npm-reference.js'
import { withoutPlaces } from './pip-index.js'
import type { ProgramOutput } from './program-output.js'
import { transferFailure } from './transfer-failure.js'

/** Where npm would fetch a package from. The address may hold credentials and is never shown or stored. */
export interface LocatedTarball {
  readonly url: URL
  /** `sha512-` and the hash of the tarball in base64. */
  readonly integrity: string
  readonly version: string
}

type WantedTarball = Pick<NpmReference, 'package' | 'version'>

/** Has npm say where a package is. Errors: `ERR_MODEL_NOT_FOUND`, `ERR_OPTION_INVALID`, `ERR_REGISTRY`. */
export async function locateTarball(npm: NpmClient, wanted: WantedTarball): Promise<LocatedTarball> {
  const output = await npm.run(['view', specifier(wanted), 'version', 'dist', '--json'])
  if (output.exitCode !== 0) throw npmFailure(output, wanted)
  return parseView(output.stdout, wanted)
}

/** Has npm fetch a package by itself, into an empty folder. Gives the tarball's path. Errors: as {@link locateTarball}. */
export async function packTarball(npm: NpmClient, wanted: WantedTarball, directory: string): Promise<string> {
  const output = await npm.run([
    'pack',
    specifier(wanted),
    '--pack-destination',
    directory,
    '--ignore-scripts',
    '--json',
  ])
  if (output.exitCode !== 0) throw npmFailure(output, wanted)
  const [name, ...others] = (await readdir(directory)).filter((file) => file.endsWith('.tgz'))
  if (name === undefined || others.length > 0)
    throw transferFailure('protocol', 'npm downloaded something else than one package.')
  return join(directory, name)
}

/** Reads what `npm view … version dist --json` prints; nothing at all for a version that is not there. */
export function parseView(json: string, wanted: WantedTarball): LocatedTarball {
  if (json.trim() === '') throw notFound(wanted)
  const view = parse(json)
  if (Array.isArray(view)) {
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      `${specifier(wanted)} means ${view.length} versions; name one of them in full.`,
    )
  }
  const { version, dist } = (view ?? {}) as { readonly version?: unknown; readonly dist?: Record<string, unknown> }
  const { tarball, integrity } = dist ?? {}
  const [hash] = /\bsha512-[A-Za-z0-9+/]{86}==/.exec(String(integrity)) ?? []
  if (typeof version !== 'string' || typeof tarball !== 'string' || !URL.canParse(tarball) || hash === undefined)
    throw unreadable()
  return { url: new URL(tarball), integrity: hash, version }
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw unreadable()
  }
}

function unreadable(): LlameroError {
  return transferFailure('protocol', 'npm did not say where the package is and what its sha512 is.')
}

function specifier({ package: name, version }: WantedTarball): string {
  return version === undefined ? name : `${name}@${version}`
}

function notFound(wanted: WantedTarball): LlameroError {
  return new LlameroError(
    'ERR_MODEL_NOT_FOUND',
    `The package registry has no ${specifier(wanted)}. Check the name, the version and npm's registry setting.`,
  )
}

function npmFailure({ stdout, stderr, exitCode }: ProgramOutput, wanted: WantedTarball): LlameroError {
  const [, code = ''] = /npm (?:error|ERR!) code (\w+)/.exec(stderr) ?? /"code": "(\w+)"/.exec(stdout) ?? []
  if (code === 'E404' || code === 'ETARGET') return notFound(wanted)
  if (/^(ENOTFOUND|ECONN\w+|ETIMEDOUT|EAI_AGAIN|ERR_SOCKET_TIMEOUT|\w*CERT\w*|UNABLE_TO_\w+)$/.test(code)) {
    return transferFailure(
      'status',
      `The package registry could not be reached for ${specifier(wanted)} (${code}). Check the network, and npm's settings for registry, proxy and certificates (npm config list).`,
    )
  }
  const complaint =
    stderr
      .split('\n')
      .filter((line) => /^npm (error|ERR!) (?!code|A complete log)/.test(line))
      .at(0) ?? ''
  return transferFailure(
    'status',
    `npm failed for ${specifier(wanted)} (${code === '' ? `exit code ${exitCode}` : code})${complaint && `: ${withoutPlaces(complaint)}`}`,
  )
}
