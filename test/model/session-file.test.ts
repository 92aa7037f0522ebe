import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LlameroError } from '../../lib/errors.js'
import type { SavedSession } from '../../lib/model/session-file.js'
import { readSaved, sessionToBytes } from '../../lib/model/session-storage.js'

const saved: SavedSession = {
  fingerprint: { model: 'm', template: 't', adapters: '', keyType: 'f16', valueType: 'f16', rope: '', llama: 'v1' },
  messages: [{ role: 'user', content: 'hé' }],
  transcript: {
    text: 'hé!',
    tokens: Int32Array.of(1, 2),
    marks: [{ messages: 1, characters: 3, tokens: 2 }],
    media: [{ characters: 1, tokens: 1, length: 4, digest: 'd' }],
  },
  leftOut: 1,
  tokens: Int32Array.of(1, 2, 3),
  snapshot: { tokens: Int32Array.of(1, 2), state: Uint8Array.of(9, 8, 7, 6, 5) },
}
const whole = await sessionToBytes(saved)

async function refusal(bytes: Uint8Array): Promise<void> {
  const error = await readSaved(bytes).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(LlameroError)
  expect(error).toMatchObject({ code: 'ERR_STATE_MISMATCH' })
}

describe('the format of saved sessions', () => {
  it('gives back what was saved', async () => {
    const read = await readSaved(whole)
    expect({ ...read, snapshot: { ...read.snapshot, state: Uint8Array.from(read.snapshot?.state ?? []) } }).toEqual(
      saved,
    )
    const { snapshot: _snapshot, ...bare } = saved
    expect((await readSaved(await sessionToBytes({ ...bare, snapshot: undefined }))).snapshot).toBeUndefined()
  })

  it('carries states over several pieces', async () => {
    const state = Uint8Array.from({ length: 3 * 2 ** 20 + 5 }, (_, index) => index % 251)
    const read = await readSaved(await sessionToBytes({ ...saved, snapshot: { tokens: saved.tokens, state } }))
    expect(Buffer.compare(read.snapshot?.state ?? new Uint8Array(), state)).toBe(0)
  })

  it('G8: refuses it with any byte changed', async () => {
    for (let at = 0; at < whole.length; at++) {
      for (const change of [1, 0x80, 0xff]) {
        const bytes = whole.slice()
        bytes[at] = (bytes[at] ?? 0) ^ change
        await refusal(bytes)
      }
    }
  })

  it('G8: refuses it cut off anywhere, or with more behind it', async () => {
    for (let length = 0; length < whole.length; length++) await refusal(whole.subarray(0, length))
    await refusal(Uint8Array.from([...whole, 0]))
  })

  it('refuses whatever else it is given, without reserving what a header claims', async () => {
    const prefix = whole.subarray(0, 12)
    const claims = fc.uint8Array({ minLength: 52, maxLength: 300 }).map((rest) => Uint8Array.from([...prefix, ...rest]))
    await fc.assert(fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 300 }), claims), refusal))
  })
})
