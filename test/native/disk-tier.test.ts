import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { NativeEngineOptions } from '../../lib/native-types.js'
import { predict } from '../support/script.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { testEngines, until, type TestEngine } from './test-engine.js'

const engines = testEngines()
const temporary = temporaryDirectory()
/** A token of the scripted model takes 256 bytes of keys and values, and some for its place. */
const tokenBytes = 280
const shape = {
  contextSize: 1024,
  maxSequences: 4,
  cachedSequences: 4,
  cacheTokens: 0,
  /** Two prompts. */
  cacheBytes: 700 * tokenBytes,
  batchSize: 512,
}
const roomy = 2 ** 30

const newDirectory = (): string => mkdtempSync(join(temporary.path, 'cache-'))

function open(directory: string, { bytes = roomy, by = 'this', ...options }: Opening = {}): Promise<TestEngine> {
  return engines({ ...shape, cacheFiles: { directory, bytes, fingerprint: by }, ...options })
}

interface Opening extends Partial<NativeEngineOptions> {
  readonly bytes?: number
  readonly by?: string
}

/** Asks, expects the words of the script, and tells how many tokens were not computed. */
async function ask(engine: TestEngine, prompt: string, options: object = {}): Promise<number> {
  const tokens = await engine.tokenize(prompt)
  const id = engine.submit(tokens, { bufferTokens: 1e6, maxTokens: 6, ignoreEos: true, ...options })
  expect(await engine.inbox.ended(id)).toBe(predict(prompt, { maxTokens: 6, ignoreEos: true }).text)
  return engine.inbox.finish(id)?.cachedTokens ?? -1
}

const long = (key: number, fill = 300) => `K${key}${'.'.repeat(fill)}`
const filesIn = (directory: string) => readdirSync(directory).map((name) => join(directory, name))
// A file that is renamed or removed meanwhile has no size.
const bytesIn = (directory: string) =>
  filesIn(directory).reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0)

/** A directory with what an engine had computed when it was closed. */
async function filled(keys: readonly number[], options: Opening = {}, asking: object = {}): Promise<string> {
  const directory = newDirectory()
  const engine = await open(directory, { cacheBytes: 2 ** 24, ...options })
  for (const key of keys) await ask(engine, long(key), asking)
  await engine.close()
  return directory
}

describe('the disk', () => {
  it('gives back what main memory had no room for', async () => {
    const engine = await open(newDirectory())
    for (const key of [1, 2, 3, 4, 5, 6]) await ask(engine, long(key))
    await until(engine, ({ diskFiles }) => diskFiles === 3)
    for (const key of [1, 2, 3]) expect(await ask(engine, long(key))).toBeGreaterThan(290)
    expect(engine.stats()).toMatchObject({ diskHits: 3, memoryHits: 3 })
  })

  it('gives the next process what was computed when the engine was closed, in cells as well', async () => {
    const directory = await filled([1, 2, 3])
    const engine = await open(directory)
    expect(engine.stats()).toMatchObject({ diskFiles: 3, diskBytes: bytesIn(directory) })
    for (const key of [1, 2, 3]) expect(await ask(engine, `${long(key)}and on`)).toBeGreaterThan(290)
    expect(engine.stats()).toMatchObject({ diskHits: 3 })
  })

  it('is read once for requests that arrive together, and others go on meanwhile', async () => {
    const engine = await open(await filled([1]))
    const other = ask(engine, long(2), { maxTokens: 6 })
    const cached = await Promise.all(['a', 'b', 'c', 'd'].map((tail) => ask(engine, `${long(1)}${tail}!`)))
    for (const tokens of cached) expect(tokens).toBeGreaterThan(290)
    expect(await other).toBe(0)
    expect(engine.stats().diskHits).toBe(1)
  })

  it('holds a conversation once, however often it goes on', async () => {
    const directory = newDirectory()
    let prompt = long(1)
    const goOn = () => (prompt += `${predict(prompt, { maxTokens: 6, ignoreEos: true }).text}${'!'.repeat(100)}`)
    for (let process = 0; process < 3; process++) {
      const engine = await open(directory)
      const cached = await ask(engine, prompt)
      if (process > 0) expect(cached).toBeGreaterThan(290)
      goOn()
      await ask(engine, prompt)
      await engine.close()
      goOn()
    }
    expect(filesIn(directory)).toHaveLength(1)
  })

  it('writes nothing twice that it holds', async () => {
    const directory = await filled([1, 2])
    const before = readdirSync(directory).sort()
    const engine = await open(directory)
    for (const key of [1, 2]) await ask(engine, long(key))
    await engine.close()
    expect(readdirSync(directory).sort()).toEqual(before)
  })

  it('serves no other cache key', async () => {
    const engine = await open(await filled([1], {}, { cacheKey: 'one' }))
    expect(await ask(engine, long(1), { cacheKey: 'two' })).toBe(0)
    expect(await ask(engine, long(1), { cacheKey: '' })).toBe(0)
    expect(await ask(engine, long(1), { cacheKey: 'one' })).toBeGreaterThan(290)
  })

  it('serves nobody who computes otherwise, and both may use one folder', async () => {
    const directory = await filled([1])
    const other = await open(directory, { by: 'that' })
    expect(other.stats().diskFiles).toBe(0)
    expect(await ask(other, long(1))).toBe(0)
    await other.close()
    expect(filesIn(directory)).toHaveLength(2)
    for (const by of ['this', 'that']) expect(await ask(await open(directory, { by }), long(1))).toBeGreaterThan(290)
  })

  it('is written for its owner alone', async () => {
    for (const path of filesIn(await filled([1, 2]))) expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('takes nothing that is computed faster, and does nothing without main memory', async () => {
    expect(filesIn(await filled([], {}))).toEqual([])
    const directory = newDirectory()
    const engine = await open(directory)
    for (const key of [1, 2, 3]) await ask(engine, long(key, 50))
    await engine.close()
    const none = await open(directory, { cacheBytes: 0 })
    for (const key of [1, 2, 1]) expect(await ask(none, long(key))).toBe(0)
    await none.close()
    expect(filesIn(directory)).toEqual([])
  })
})

describe('the bytes of the folder', () => {
  it('are kept to, and the least recently used file leaves first', async () => {
    const directory = newDirectory()
    const bytes = 1000 * tokenBytes
    const engine = await open(directory, { bytes })
    for (const key of [1, 2, 3, 4, 5, 6]) {
      await ask(engine, long(key))
      expect(bytesIn(directory)).toBeLessThanOrEqual(bytes)
    }
    await engine.close()
    expect(bytesIn(directory)).toBeLessThanOrEqual(bytes)
    const next = await open(directory, { bytes })
    expect(next.stats().diskFiles).toBe(3)
    for (const key of [4, 5, 6]) expect(await ask(next, long(key))).toBeGreaterThan(290)
    expect(await ask(next, long(1))).toBe(0)
  })

  it('keep what was read lately', async () => {
    const directory = await filled([1, 2, 3])
    const engine = await open(directory, { bytes: 1000 * tokenBytes })
    for (const key of [1, 4]) await ask(engine, long(key))
    await engine.close()
    const next = await open(directory)
    for (const key of [1, 3, 4]) expect(await ask(next, long(key))).toBeGreaterThan(290)
    expect(await ask(next, long(2))).toBe(0)
  })

  it('count the files of others, which leave too when they are older', async () => {
    const directory = await filled([1, 2], { by: 'that' })
    for (const path of filesIn(directory)) utimesSync(path, 1, 1)
    const engine = await open(directory, { bytes: 700 * tokenBytes })
    for (const key of [3, 4]) await ask(engine, long(key))
    await engine.close()
    expect(bytesIn(directory)).toBeLessThanOrEqual(700 * tokenBytes)
    expect((await open(directory, { by: 'that' })).stats().diskFiles).toBe(0)
  })
})

describe('a file that is not as it was written', () => {
  it('is removed, and what it held is computed with the same words', async () => {
    const directory = await filled([1])
    const [path = ''] = filesIn(directory)
    const whole = readFileSync(path)
    const places = Array.from({ length: 24 }, (_, index) => Math.floor((index / 24) * whole.length))
    for (const at of [...places, 8, 16, 24, 32, 40, 500, whole.length - 1]) {
      const damaged = Buffer.from(whole)
      damaged.writeUInt8((whole[at] ?? 0) ^ 0x10, at)
      for (const bytes of [damaged, whole.subarray(0, at)]) {
        writeFileSync(path, bytes)
        const engine = await open(directory, { cacheBytes: 2 ** 24 })
        expect(await ask(engine, long(1)), `byte ${at} of ${bytes.length}`).toBe(0)
        expect(filesIn(directory)).toEqual([])
        rmSync(directory, { recursive: true }) // what is computed now finds no place
        await engine.close()
        mkdirSync(directory)
      }
    }
    writeFileSync(path, whole)
    expect(await ask(await open(directory), long(1))).toBeGreaterThan(290)
  })

  it('is removed when it was never one, and what has another name stays', async () => {
    const directory = await filled([1])
    const [path = ''] = filesIn(directory)
    expect(path).not.toBe('')
    const [prefix = ''] = path.split(/-[0-9a-f]{16}\./)
    const foreign = [`${prefix}-0123456789abcdef.kvcache`, `${prefix}-zero.kvcache`]
    writeFileSync(foreign[0] ?? '', 'something else')
    writeFileSync(foreign[1] ?? '', '')
    const others = [join(directory, 'notes.txt'), join(directory, 'young.kvcache.partial')]
    for (const other of others) writeFileSync(other, 'mine')
    const abandoned = join(directory, 'old.kvcache.partial')
    writeFileSync(abandoned, 'half')
    utimesSync(abandoned, 1, 1)
    const engine = await open(directory)
    expect(filesIn(directory).sort()).toEqual([path, ...others].sort())
    expect(await ask(engine, long(1))).toBeGreaterThan(290)
  })

  it('is a miss when it is gone or exchanged behind the back of the engine', async () => {
    const directory = await filled([1, 2])
    const engine = await open(directory, { cacheBytes: 2 ** 24 })
    const [one = '', two = ''] = filesIn(directory)
    writeFileSync(one, readFileSync(two))
    rmSync(two)
    for (const key of [1, 2]) expect(await ask(engine, long(key))).toBeLessThanOrEqual(301)
    expect(engine.stats().diskHits).toBeLessThanOrEqual(1)
  })
})

describe('a folder that can not be used', () => {
  it.each<[string, (directory: string) => void]>([
    ['gone', (directory) => rmSync(directory, { recursive: true })],
    [
      'a file',
      (directory) => {
        rmSync(directory, { recursive: true })
        writeFileSync(directory, '')
      },
    ],
    ['not to be written', (directory) => chmodSync(directory, 0o500)],
  ])('because it is %s costs computing, no more', async (_title, spoil) => {
    const directory = await filled([1])
    spoil(directory)
    const engine = await open(directory)
    for (const key of [2, 3, 4, 5, 2, 3]) await ask(engine, long(key))
    await engine.close()
  })
})

describe('two engines on one folder', () => {
  it('each give the words of the script while each takes the bytes of the other', async () => {
    const directory = newDirectory()
    const bytes = 700 * tokenBytes
    const pair = [await open(directory, { bytes }), await open(directory, { bytes })]
    await Promise.all(
      pair.map(async (engine, index) => {
        for (let round = 0; round < 30; round++) await ask(engine, long((round * (index + 1)) % 7))
      }),
    )
    await Promise.all(pair.map((engine) => engine.close()))
    expect(readdirSync(directory).filter((name) => !name.endsWith('.kvcache'))).toEqual([])
    // One file beyond, if both wrote at the same moment.
    expect(bytesIn(directory)).toBeLessThanOrEqual(bytes + 350 * tokenBytes)
    const next = await open(directory)
    for (let key = 0; key < 7; key++) await ask(next, long(key))
  })
})
