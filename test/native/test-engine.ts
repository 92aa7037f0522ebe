import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type {
  Addon,
  NativeEngine,
  NativeEngineOptions,
  NativeEngineStats,
  NativeModel,
  NativeRequest,
} from '../../lib/native-types.js'
import { nativeAddon } from '../../lib/native.js'
import { writeScriptedModel, type ScriptedModelOptions } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { createEngine, Inbox, loadModel, requestFor, tokenize } from './bare-addon.mjs'

/** The folder of the addon under test: another build's, such as one with a sanitizer, if the variable names it. */
export const addonDirectory =
  process.env['LLAMERO_TEST_ADDON'] ?? join(import.meta.dirname, '..', '..', 'build', 'Release')

/** How much longer things may take in the build under test. */
export const patience = process.env['LLAMERO_TEST_ADDON'] === undefined ? 1 : 10

export const addonUnderTest = (): Addon => nativeAddon({ directory: addonDirectory })

/** Writes a scripted model for the calling test file; the returned function gives its path. */
export function scriptedModelFile(options: ScriptedModelOptions = {}): () => string {
  const directory = temporaryDirectory()
  const path = join(directory.path, 'scripted.gguf')
  beforeAll(() => writeScriptedModel(path, options))
  return () => path
}

/** An engine over the scripted model, with its news collected. */
export class TestEngine {
  readonly inbox: Inbox
  readonly native: NativeEngine
  readonly #addon: Addon
  readonly #model: NativeModel

  constructor(addon: Addon, model: NativeModel, native: NativeEngine, inbox: Inbox) {
    this.#addon = addon
    this.#model = model
    this.native = native
    this.inbox = inbox
  }

  tokenize(text: string): Promise<Int32Array> {
    return tokenize(this.#addon, this.#model, text)
  }

  submit(tokens: Iterable<number>, options: Partial<NativeRequest> = {}): number {
    return this.#addon.engineSubmit(this.native, requestFor(tokens, options))
  }

  /** The text of a request that runs to its end. */
  answer(tokens: Iterable<number>, options: Partial<NativeRequest> = {}): Promise<string> {
    return this.inbox.ended(this.submit(tokens, { bufferTokens: 1_000_000, ...options }))
  }

  cancel(id: number): void {
    this.#addon.engineCancel(this.native, id)
  }

  acknowledge(id: number, tokens: number): void {
    this.#addon.engineAcknowledge(this.native, id, tokens)
  }

  stats(): NativeEngineStats {
    return this.#addon.engineStats(this.native)
  }

  close(): Promise<void> {
    return this.#addon.engineClose(this.native)
  }
}

/**
 * Opens the scripted model for the calling test file; the returned function makes engines, perhaps with a draft model,
 * closed after the file.
 */
export function testEngines(
  model: ScriptedModelOptions = {},
): (options?: Partial<NativeEngineOptions>, draft?: NativeModel) => Promise<TestEngine> {
  const path = scriptedModelFile(model)
  const open: TestEngine[] = []
  let native: NativeModel
  beforeAll(async () => {
    native = await loadModel(addonUnderTest(), path())
  })
  afterAll(async () => {
    await Promise.all(open.map((engine) => engine.close()))
    addonUnderTest().modelClose(native)
  })
  return async (options = {}, draft) => {
    const addon = addonUnderTest()
    const inbox = new Inbox()
    const engine = new TestEngine(addon, native, await createEngine(addon, native, options, inbox.take, draft), inbox)
    open.push(engine)
    return engine
  }
}

/** Opens a scripted model as a draft model for the calling test file; the returned function gives it. */
export function draftModel(model: ScriptedModelOptions = {}): () => NativeModel {
  const path = scriptedModelFile(model)
  let native: NativeModel
  beforeAll(async () => {
    native = await loadModel(addonUnderTest(), path())
  })
  afterAll(() => addonUnderTest().modelClose(native))
  return () => native
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Waits until the engine's counters are as wanted, and returns them. */
export async function until(
  engine: TestEngine,
  wanted: (stats: NativeEngineStats) => boolean,
): Promise<NativeEngineStats> {
  for (;;) {
    const stats = engine.stats()
    if (wanted(stats)) return stats
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

/** Waits until the engine's counters have stood still for `quietMs`, and returns them. */
export async function settled(engine: TestEngine, quietMs = 40): Promise<NativeEngineStats> {
  for (let before = engine.stats(); ;) {
    await new Promise((resolve) => setTimeout(resolve, quietMs))
    const after = engine.stats()
    if (after.steps === before.steps && after.outputTokens === before.outputTokens) return after
    before = after
  }
}
