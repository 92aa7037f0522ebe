import { inspect } from 'node:util'
import { expect } from 'vitest'

/** What no text for people may hold: addresses of memory, places in sources, secrets that a test calls canaries. */
const harmful = /0x[0-9a-f]{6,}|\.[cm]?[jt]s:\d+:\d+|file:\/\/|canary|Y2FuYXJ5|NhbmFye|jYW5hcn/i

/** S5, N8: fails for a text that tells more than a person has to know. */
export function expectHarmless(text: string): void {
  expect(harmful.exec(text)?.[0], text).toBeUndefined()
}

/** The same for all that an error carries: message, details and causes, without the stacks. */
export function expectHarmlessError(error: unknown): void {
  for (let current = error, depth = 0; current instanceof Error && depth < 8; current = current.cause, depth++) {
    expectHarmless(current.message)
    expectHarmless(inspect((current as { details?: unknown }).details, { depth: 6 }))
  }
}
