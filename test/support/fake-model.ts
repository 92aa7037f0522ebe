// eslint-disable-next-line no-restricted-imports -- a new context is how a running process gets at gc()
import { runInNewContext } from 'node:vm'
import { setFlagsFromString } from 'node:v8'
import { afterEach, beforeEach, expect } from 'vitest'
import { openModel, type Model, type ModelOptions, type Part } from '../../lib/model/index.js'
import { createFakeAddon, type FakeAddon, type FakeOptions } from './fake-addon.js'

export interface FakeModel {
  readonly model: Model
  readonly addon: FakeAddon
}

export async function openFake(options: FakeOptions = {}, modelOptions: ModelOptions = {}): Promise<FakeModel> {
  const addon = createFakeAddon(options)
  return { addon, model: await openModel({ path: 'fake.gguf' }, modelOptions, addon) }
}

/** A script of so many letters. */
export const letters = (count: number) => () => Array.from({ length: count }, () => 97)

/** Turns of the event loop; the fake engine does a step in each. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

export async function readParts(generation: AsyncIterable<Part>): Promise<Part[]> {
  const parts: Part[] = []
  for await (const part of generation) parts.push(part)
  return parts
}

export const textOfParts = (parts: readonly Part[]) =>
  parts.map((part) => (part.type === 'text' ? part.text : '')).join('')

export async function collect(texts: AsyncIterable<string>): Promise<string> {
  let all = ''
  for await (const text of texts) all += text
  return all
}

export async function collectGarbage(until: () => boolean): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collectNow = runInNewContext('gc') as () => void
  for (let i = 0; i < 20 && !until(); i++) {
    collectNow()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Unhandled rejections so far; every test of the calling file fails if one is left over. */
export function watchRejections(): unknown[] {
  const unhandled: unknown[] = []
  const note = (error: unknown) => void unhandled.push(error)
  beforeEach(() => {
    unhandled.length = 0
    process.on('unhandledRejection', note)
  })
  afterEach(async () => {
    await turns(3)
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })
  return unhandled
}
