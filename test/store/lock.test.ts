import { existsSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { acquireLock, type HeldLock } from '../../lib/store/lock.js'
import { livenessOf, newToken, ownIdentity, tokenOwner } from '../../lib/store/process-identity.js'
import { startProgram } from '../support/child-program.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const temporary = temporaryDirectory()
let path: string
let count = 0
beforeEach(() => {
  path = join(temporary.path, `folder-${(count += 1)}`, 'a.lock')
})

const seconds = async (work: () => Promise<HeldLock>) => {
  const start = performance.now()
  await (await work()).release()
  return (performance.now() - start) / 1000
}
const put = async (content: string) => {
  await (await acquireLock(path)).release()
  writeFileSync(path, content)
}
const tokenWith = async (changes: Partial<Awaited<ReturnType<typeof ownIdentity>>>) => {
  const { pid, started, namespace, boot, host } = { ...(await ownIdentity()), ...changes }
  return [pid, started || 'x', namespace || 'x', boot || 'x', host, '0123456789abcdef'].join('-')
}

describe('a lock', () => {
  it('is held by one at a time', async () => {
    let inside = 0
    let most = 0
    const work = async () => {
      const lock = await acquireLock(path, { pollMs: 1 })
      most = Math.max(most, (inside += 1))
      await delay(2)
      inside -= 1
      await lock.release()
    }
    await Promise.all(Array.from({ length: 20 }, work))
    expect(most).toBe(1)
    expect(readdirSync(join(path, '..'))).toEqual([])
  })

  it('tells those who wait, and lets them go when they are aborted', async () => {
    const lock = await acquireLock(path)
    let waits = 0
    const reason = new Error('enough')
    const abort = new AbortController()
    const waiting = acquireLock(path, {
      pollMs: 1,
      signal: abort.signal,
      onWait: () => {
        waits += 1
        if (waits === 3) abort.abort(reason)
      },
    })
    await expect(waiting).rejects.toBe(reason)
    expect(existsSync(path)).toBe(true)
    await lock.release()
    expect(existsSync(path)).toBe(false)
  })

  it.runIf(process.platform === 'linux')('of a process that was killed is free at once', async () => {
    const child = startProgram(new URL('./lock-child.ts', import.meta.url), [path])
    await new Promise((resolve) => child.process.stdout.once('data', resolve))
    child.process.kill('SIGKILL')
    await child.result
    expect(existsSync(path)).toBe(true)
    expect(await seconds(() => acquireLock(path))).toBeLessThan(10)
  })

  it.runIf(process.platform === 'linux').each([
    ['whose process id now belongs to another process', { started: '1' }],
    ['from before this machine was started', { boot: '00000000' }],
  ])('%s is free at once', async (_, changes) => {
    await put(await tokenWith(changes))
    expect(await seconds(() => acquireLock(path))).toBeLessThan(10)
  })

  it.each([
    ['of another machine', async () => tokenWith({ host: '00000000' })],
    ['of another container', async () => tokenWith({ namespace: '1' })],
    ['with nothing in it', () => Promise.resolve('')],
    ['with garbage in it', () => Promise.resolve('{"pid": 1}')],
  ])('%s is taken over when it shows no sign of life', async (_, content) => {
    await put(await content())
    expect(await seconds(() => acquireLock(path, { pollMs: 5, silenceMs: 200 }))).toBeGreaterThan(0.19)
  })

  it('of another machine is respected while it is touched', async () => {
    await put(await tokenWith({ host: '00000000' }))
    let touches = 0
    const timer = setInterval(() => {
      touches += 1
      const time = new Date(2000, 1, 1, 0, 0, touches)
      if (touches <= 10) utimesSync(path, time, time)
    }, 50)
    expect(await seconds(() => acquireLock(path, { pollMs: 5, silenceMs: 250 }))).toBeGreaterThan(0.6)
    clearInterval(timer)
  })

  it('that was taken over is not released by its former owner', async () => {
    const first = await acquireLock(path)
    rmSync(path)
    const second = await acquireLock(path)
    await first.release()
    expect(existsSync(path)).toBe(true)
    await second.release()
  })
})

describe('tokens', () => {
  it('name their process', async () => {
    const owner = tokenOwner(await newToken())
    expect(owner).toEqual(await ownIdentity())
    expect(owner && (await livenessOf(owner))).toBe(process.platform === 'linux' ? 'alive' : 'unknown')
  })
  it.each(['', 'x', '1-2-3', '0-1-1-00000000-00000000-0123456789abcdef', '1-1-1-00000000-00000000-0123456789abcdeg'])(
    'are not seen in %j',
    (text) => {
      expect(tokenOwner(text)).toBeUndefined()
    },
  )
})
