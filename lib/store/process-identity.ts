import { createHash, randomBytes } from 'node:crypto'
import { readFile, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'

/** What tells a process from every other, also after its id was given to a new one. '' stands for what cannot be known. */
export interface ProcessIdentity {
  readonly pid: number
  /** When the process started, in the kernel's own unit. */
  readonly started: string
  /** The namespace that the pid counts in (containers have their own). */
  readonly namespace: string
  /** Changes at each boot of the machine; 8 hexadecimal digits. */
  readonly boot: string
  /** The machine's name, hashed; 8 hexadecimal digits. */
  readonly host: string
}

/** `unknown`: on another machine or in another container, so that only its signs of life can tell. */
export type Liveness = 'alive' | 'dead' | 'unknown'

/** This process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const [started, namespace, boot] = await Promise.all([
    startOf(process.pid),
    readlink('/proc/self/ns/pid').catch(() => ''),
    readOr('/proc/sys/kernel/random/boot_id'),
  ])
  return {
    pid: process.pid,
    started,
    namespace: /\d+/.exec(namespace)?.[0] ?? '',
    boot: boot.slice(0, 8),
    host: createHash('sha256').update(hostname()).digest('hex').slice(0, 8),
  }
}

/** Whether the process behind an identity still runs, as far as this process can see. */
export async function livenessOf(other: ProcessIdentity): Promise<Liveness> {
  const own = await ownIdentity()
  if (own.host !== other.host) return 'unknown'
  if (own.boot !== other.boot) return 'dead'
  if (own.namespace !== other.namespace) return 'unknown'
  if (!exists(other.pid)) return 'dead'
  const started = await startOf(other.pid)
  if (started === '' || other.started === '') return 'unknown'
  return started === other.started ? 'alive' : 'dead'
}

/** A new name for a temporary file, which says whose it is, so that it can be cleared away when its owner is gone. */
export async function newToken(): Promise<string> {
  const { pid, started, namespace, boot, host } = await ownIdentity()
  return [pid, started || 'x', namespace || 'x', boot || 'x', host, randomBytes(8).toString('hex')].join('-')
}

/** Whose token it is; undefined for other texts. */
export function tokenOwner(token: string): ProcessIdentity | undefined {
  const match = /^(\d{1,10})-(\d{1,20}|x)-(\d{1,20}|x)-([0-9a-f]{8}|x)-([0-9a-f]{8})-[0-9a-f]{16}$/.exec(token)
  const [, pid, started, namespace, boot, host] = (match ?? []).map((part) => (part === 'x' ? '' : part))
  if (started === undefined || namespace === undefined || boot === undefined || host === undefined) return undefined
  return Number(pid) > 0 ? { pid: Number(pid), started, namespace, boot, host } : undefined
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

// Field 22 of proc(5)'s stat; the command in field 2 may hold spaces and parentheses.
async function startOf(pid: number): Promise<string> {
  const stat = await readOr(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

function readOr(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}
