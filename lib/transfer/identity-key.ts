import { createPrivateKey, generateKeyPairSync, randomBytes, randomInt, sign, type KeyObject } from 'node:crypto'
import { link, open, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, hostname, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { LlameroError } from '../errors.js'
import { makeDirectory } from '../make-directory.js'

/**
 * The key by which Ollama's registry knows this machine, in OpenSSH's format. The account that a private model belongs to
 * lists its public half.
 */
export interface IdentityKey {
  /** The public half as SSH encodes it, in base64. */
  readonly publicKey: string
  sign(text: string): Buffer
}

/** Where Ollama keeps it. */
export function defaultIdentityPath(): string {
  return join(homedir(), '.ollama', 'id_ed25519')
}

/**
 * Reads the key. Where there is none it is made, as Ollama's server does at its first start, if `mayCreate`: readable by
 * its owner alone, never over another one. Errors: `ERR_STORE`.
 */
export async function identityKey(
  path: string,
  { mayCreate }: { readonly mayCreate: boolean },
): Promise<IdentityKey | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw unusable(path, error)
  })
  if (text !== undefined) return parseIdentityKey(text, path)
  if (!mayCreate) return undefined
  try {
    return parseIdentityKey(await createKeyFile(path), path)
  } catch (error) {
    // Another process was a little faster.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return parseIdentityKey(await readFile(path, 'utf8'), path)
    throw error instanceof LlameroError ? error : unusable(path, error)
  }
}

const magic = 'openssh-key-v1\0'
const keyType = 'ssh-ed25519'
// An ed25519 key in PKCS #8 is this and the 32 bytes of its seed (RFC 8410).
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Reads a private key without a passphrase in OpenSSH's format (PROTOCOL.key in its sources). */
export function parseIdentityKey(pem: string, path: string): IdentityKey {
  try {
    const base64 = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END/.exec(pem)?.[1] ?? ''
    const fields = new Fields(Buffer.from(base64, 'base64'))
    if (fields.bytes(magic.length).toString('latin1') !== magic) throw new Error('no OpenSSH key')
    if (fields.string().toString() !== 'none') throw new Error('it has a passphrase')
    fields.string()
    fields.string()
    if (fields.number() !== 1) throw new Error('more than one key')
    const publicBlob = fields.string()
    const secret = new Fields(fields.string())
    if (secret.number() !== secret.number()) throw new Error('damaged')
    if (secret.string().toString() !== keyType) throw new Error('another kind of key')
    secret.string()
    const pair = secret.string()
    if (pair.length !== 64) throw new Error('damaged')
    const key = seededKey(pair.subarray(0, 32))
    return { publicKey: publicBlob.toString('base64'), sign: (text) => sign(null, Buffer.from(text), key) }
  } catch (cause) {
    if (isCutOff(pem)) throw cutOff(path, cause)
    throw unusable(path, cause)
  }
}

/** Whether this is the beginning of a key, as a program leaves it that dies while it writes one. */
function isCutOff(pem: string): boolean {
  const first = '-----BEGIN OPENSSH PRIVATE KEY-----'
  const text = pem.trim()
  return first.startsWith(text) || (text.startsWith(first) && !text.includes('-----END OPENSSH PRIVATE KEY-----'))
}

function seededKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' })
}

class Fields {
  readonly #buffer: Buffer
  #at = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }

  number(): number {
    return this.bytes(4).readUInt32BE()
  }

  string(): Buffer {
    return this.bytes(this.number())
  }

  bytes(length: number): Buffer {
    if (this.#at + length > this.#buffer.length) throw new Error('cut off')
    return this.#buffer.subarray(this.#at, (this.#at += length))
  }
}

async function createKeyFile(path: string): Promise<string> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const publicBlob = Buffer.concat([field(keyType), field(point)])
  const pem = encodeKey(seed, point, publicBlob)
  await makeDirectory(dirname(path))
  await placeWhole(path, pem)
  // For people; whoever needs it can make it anew from the key.
  await writePublicHalf(`${path}.pub`, publicBlob).catch(() => {})
  return pem
}

/** A file that only its owner can read, there whole or not at all, and never in place of another one: then `EEXIST`. */
async function placeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(8).toString('hex')}`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.chmod(0o600)
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await link(temporary, path)
  } finally {
    await rm(temporary, { force: true }).catch(() => {})
  }
}

async function writePublicHalf(path: string, publicBlob: Buffer): Promise<void> {
  const comment = `${userInfo().username}@${hostname()}`
  await writeFile(path, `${keyType} ${publicBlob.toString('base64')} ${comment}\n`, { mode: 0o644 })
}

function encodeKey(seed: Uint8Array, point: Uint8Array, publicBlob: Uint8Array): string {
  const check = number(randomInt(2 ** 32))
  const plain = Buffer.concat([
    check,
    check,
    field(keyType),
    field(point),
    field(Buffer.concat([seed, point])),
    field(''),
  ])
  const padding = Buffer.from(Array.from({ length: (8 - (plain.length % 8)) % 8 }, (_, index) => index + 1))
  const secret = field(Buffer.concat([plain, padding]))
  const parts = [Buffer.from(magic), field('none'), field('none'), field(''), number(1), field(publicBlob), secret]
  const lines = Buffer.concat(parts)
    .toString('base64')
    .replace(/.{70}(?=.)/g, '$&\n')
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}\n-----END OPENSSH PRIVATE KEY-----\n`
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function field(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([number(bytes.length), bytes])
}

function unusable(path: string, cause: unknown): LlameroError {
  return new LlameroError(
    'ERR_STORE',
    `Expected ${JSON.stringify(path)} to be an ed25519 key in OpenSSH's format without a passphrase, or to be a place where one can be written.`,
    { cause },
  )
}

function cutOff(path: string, cause: unknown): LlameroError {
  return new LlameroError(
    'ERR_STORE',
    `The key ${JSON.stringify(path)} is empty or cut off, as after a crash. Remove the file, so that a new key can be made.`,
    { cause },
  )
}
