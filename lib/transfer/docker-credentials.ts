import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { LlameroError } from '../errors.js'

/** A user's name and password at one registry. */
export interface PasswordCredentials {
  readonly username: string
  readonly password: string
}

/** What a registry's token server gave at the login instead of keeping the password: it is good for tokens alone. */
export interface RefreshToken {
  readonly refreshToken: string
}

/** What proves who asks at one registry. */
export type Credentials = PasswordCredentials | RefreshToken

interface DockerConfig {
  readonly auths?: Readonly<Record<string, unknown>>
  readonly credsStore?: unknown
  readonly credHelpers?: Readonly<Record<string, unknown>>
}

/** The folder that `docker login` writes to: `DOCKER_CONFIG`, else `~/.docker`. */
export function dockerDirectory(variables: Readonly<Record<string, string | undefined>> = {}): string {
  return variables.DOCKER_CONFIG || join(homedir(), '.docker')
}

/**
 * What `docker login` has stored for a host: in `config.json` itself, or with a helper program that it names. Undefined
 * if there is nothing. Errors: `ERR_REGISTRY` for a file or a helper that cannot be understood; never with a secret in it.
 *
 * @param host with its port, if it has one
 */
export async function dockerCredentials(directory: string, host: string): Promise<Credentials | undefined> {
  const config = await readConfig(join(directory, 'config.json'))
  if (config === undefined) return undefined
  const wanted = hostOf(host)
  const helper = entryOf(config.credHelpers, wanted)?.[1] ?? config.credsStore
  const [key, entry] = entryOf(config.auths, wanted) ?? []
  if (typeof helper === 'string' && helper !== '') {
    const found = await askHelper(helper, key ?? host)
    if (found !== undefined) return found
  }
  return storedCredentials(entry)
}

async function readConfig(path: string): Promise<DockerConfig | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    const config: unknown = JSON.parse(text)
    if (typeof config === 'object' && config !== null) return config
  } catch {
    // Told below, without the text: it may hold secrets.
  }
  throw failure("Docker's config.json cannot be read. Log in anew with docker login, or remove the file.")
}

// `https://index.docker.io/v1/`, `HOST:5000` and `host:5000` are all in use.
function hostOf(key: string): string {
  return (
    key
      .replace(/^https?:\/\//i, '')
      .split('/')[0]
      ?.toLowerCase() ?? ''
  )
}

function entryOf(
  entries: Readonly<Record<string, unknown>> | undefined,
  host: string,
): readonly [string, unknown] | undefined {
  return Object.entries(entries ?? {}).find(([key]) => hostOf(key) === host)
}

function storedCredentials(entry: unknown): Credentials | undefined {
  const { auth, username, password, identitytoken } = (entry ?? {}) as Record<string, unknown>
  // Where there is one, the password beside it is empty or old.
  if (typeof identitytoken === 'string' && identitytoken !== '') return { refreshToken: identitytoken }
  if (typeof auth === 'string' && auth !== '') {
    const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '')
    const colon = text.indexOf(':')
    if (colon > 0) return { username: text.slice(0, colon), password: text.slice(colon + 1) }
  }
  if (typeof username === 'string' && username !== '' && typeof password === 'string') return { username, password }
  return undefined
}

const helperTimeoutMs = 30_000
const mostHelperOutput = 64 * 1024

// The protocol of docker-credential-helpers: the address on standard input, a document on standard output.
function askHelper(name: string, serverAddress: string): Promise<Credentials | undefined> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw failure("Docker's config.json names no valid helper program.")
  return new Promise((resolve, reject) => {
    const child = spawn(`docker-credential-${name}`, ['get'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      windowsHide: true,
      timeout: helperTimeoutMs,
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (output.length > mostHelperOutput) child.kill()
    })
    child.once('error', () =>
      reject(failure(`Docker's config.json names the helper docker-credential-${name}, which could not be started.`)),
    )
    child.once('close', (code) => resolve(code === 0 ? helperAnswer(output) : undefined))
    // A helper that ends without reading is no failure.
    child.stdin.on('error', () => undefined)
    child.stdin.end(serverAddress)
  })
}

function helperAnswer(output: string): Credentials | undefined {
  try {
    const { Username: username, Secret: password } = JSON.parse(output) as Record<string, unknown>
    if (typeof username !== 'string' || typeof password !== 'string') return undefined
    // The mark of a refresh token, which is no password.
    return username === '<token>' ? { refreshToken: password } : { username, password }
  } catch {
    return undefined
  }
}

function failure(message: string): LlameroError {
  return new LlameroError('ERR_REGISTRY', message, { details: { reason: 'refused' } })
}
