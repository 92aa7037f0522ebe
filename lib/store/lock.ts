import { link, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeDirectory } from '../make-directory.js'
import { systemCode } from './disk.js'
import { livenessOf, newToken, tokenOwner, type ProcessIdentity } from './process-identity.js'

/** A lock that is held. It does not survive its process: whoever comes next notices and takes it over. */
export interface HeldLock {
  /** Lets the next one in. Idempotent. */
  release(): Promise<void>
}

/** How to wait for a lock. */
export interface LockOptions {
  /** Ends the waiting, which rejects with its reason. */
  readonly signal?: AbortSignal | undefined
  /** Called each time the lock was found to be taken. */
  readonly onWait?: (() => void) | undefined
  /** @default 200 */
  readonly pollMs?: number
  /** How long an owner that cannot be looked at may show no sign of life. @default 30000 */
  readonly silenceMs?: number
}

const signOfLifeMs = 5_000

interface Observation {
  readonly owner: ProcessIdentity | undefined
  readonly bytes: string
  readonly mtimeMs: number
}

/**
 * Takes a lock between processes: a file that names its owner, put in place at once with its content. An owner on this
 * machine counts as long as that very process lives; one elsewhere as long as it touches the file.
 *
 * Should two ever hold one lock (a store shared without clocks or links that work), nothing breaks but thrift: both
 * transfer the same bytes, and only verified bytes get a final name.
 */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<HeldLock> {
  const { signal, onWait, pollMs = 200, silenceMs = 30_000 } = options
  const content = await newToken()
  await makeDirectory(dirname(path))
  let last: Observation | undefined
  let quietSince = performance.now()
  for (;;) {
    signal?.throwIfAborted()
    if (await place(path, content)) return hold(path, content)
    const seen = await observe(path)
    if (seen === undefined) continue
    if (seen.bytes !== last?.bytes || seen.mtimeMs !== last.mtimeMs) quietSince = performance.now()
    last = seen
    const liveness = seen.owner === undefined ? 'unknown' : await livenessOf(seen.owner)
    const isSilent = liveness === 'unknown' && performance.now() - quietSince > silenceMs
    if (liveness === 'dead' || isSilent) {
      await takeAway(path, seen.bytes)
      continue
    }
    onWait?.()
    await delay(pollMs, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted())
  }
}

function hold(path: string, content: string): HeldLock {
  const timer = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, signOfLifeMs)
  timer.unref()
  return {
    async release() {
      clearInterval(timer)
      if ((await observe(path))?.bytes === content) await rm(path, { force: true })
    },
  }
}

async function place(path: string, content: string): Promise<boolean> {
  const draft = `${path}.${await newToken()}`
  try {
    await writeNew(draft, content)
    await link(draft, path)
    return true
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EEXIST') return false
    // File systems without hard links: the content comes a moment after the name, and waiters bear with that.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EOPNOTSUPP') throw error
    return await writeNew(path, content).then(
      () => true,
      (again: unknown) => {
        if (systemCode(again) === 'EEXIST') return false
        throw again
      },
    )
  } finally {
    await rm(draft, { force: true })
  }
}

async function writeNew(path: string, content: string): Promise<void> {
  const file = await open(path, 'wx', 0o644)
  try {
    await file.writeFile(content)
  } finally {
    await file.close()
  }
}

// Between a look and an unlink another waiter may have put its own lock there: move first, then look at what was moved.
async function takeAway(path: string, expected: string): Promise<void> {
  const aside = `${path}.${await newToken()}`
  try {
    await rename(path, aside)
    if ((await readFile(aside, 'utf8')) !== expected) await link(aside, path).catch(() => {})
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  } finally {
    await rm(aside, { force: true })
  }
}

async function observe(path: string): Promise<Observation | undefined> {
  try {
    const { mtimeMs } = await stat(path)
    const bytes = await readFile(path, 'utf8')
    return { owner: tokenOwner(bytes), bytes, mtimeMs }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
