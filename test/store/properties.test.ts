import fc from 'fast-check'
import { describe, it } from 'vitest'
import { properties } from './properties.js'

describe('of names, digests and documents', () => {
  it.each(Object.entries<fc.IRawProperty<unknown>>(properties))('%s', async (_rule, property) => {
    await fc.assert(property, { numRuns: 500 })
  })
})
