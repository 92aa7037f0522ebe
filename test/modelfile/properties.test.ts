import fc from 'fast-check'
import { describe, it } from 'vitest'
import { properties } from './properties.js'

describe('for any Modelfile', () => {
  for (const [name, property] of Object.entries<fc.IRawProperty<unknown>>(properties)) {
    it(name, () => void fc.assert(property, { seed: 1, numRuns: 1000 }))
  }
})
