import { expect } from 'vitest'
import { LlameroError, type ErrorCode } from '../../lib/errors.js'
import { readGguf, validateModel } from '../../lib/gguf/index.js'
import { cpuTime } from '../support/cpu-time.js'
import type { TemporaryDirectory } from '../support/temporary-directory.js'

export interface Refusal {
  readonly error: LlameroError
  /** Of CPU. */
  readonly milliseconds: number
  /** Growth of array buffers while the file was read. */
  readonly bytes: number
}

/** Writes the bytes and reads them as `load` would; fails unless a LlameroError comes. */
export async function refusal(directory: TemporaryDirectory, bytes: Uint8Array): Promise<Refusal> {
  return refusedPath(await directory.write('case.gguf', bytes))
}

export async function refusedPath(path: string): Promise<Refusal> {
  const before = process.memoryUsage().arrayBuffers
  let error: unknown
  const milliseconds = await cpuTime(async () => {
    try {
      validateModel(await readGguf(path))
    } catch (caught) {
      error = caught
    }
  })
  if (error === undefined) throw new Error('the file was accepted')
  expect(error).toBeInstanceOf(LlameroError)
  return {
    error: error as LlameroError,
    milliseconds,
    bytes: process.memoryUsage().arrayBuffers - before,
  }
}

/** Refused as such, with a sentence that names `about`, quickly and without taking memory. */
export function expectRefusal(found: Refusal, about: RegExp, code: ErrorCode = 'ERR_MODEL_INVALID'): void {
  expect(found.error.message).toMatch(about)
  expect(found.error.code).toBe(code)
  expect(found.milliseconds).toBeLessThan(50 * patience)
  expect(found.bytes).toBeLessThan(8 * 1024 * 1024)
}

/** The garbage collector counts too, and cores differ. */
const patience = 5
