import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { parseModelfile, printModelfile, readRecipe, recipeInstructions } from '../../lib/modelfile/index.js'
import { anyBytes, anyInstructions, anyMutant, anyRecipe, anySource } from './arbitrary.js'
import { failure, outcome } from './failure.js'
import { plain, referenceParse } from './reference.js'

/** What holds for any Modelfile: the tests try some of each, the campaign many. */
export const properties = {
  'instructions come back as they were, printed and read, from text and from bytes': fc.property(
    anyInstructions,
    (instructions) => {
      const text = printModelfile(instructions)
      deepStrictEqual(plain(parseModelfile(text)), instructions)
      deepStrictEqual(plain(parseModelfile(Buffer.from(text))), instructions)
    },
  ),
  'a recipe comes back as it was, printed and read': fc.property(anyRecipe, (recipe) => {
    deepStrictEqual(readRecipe(parseModelfile(printModelfile(recipeInstructions(recipe)))), recipe)
  }),
  'what is printed is what the rules of the specification read, but for here-documents': fc.property(
    anyInstructions,
    (instructions) => {
      const text = printModelfile(instructions)
      fc.pre(!/^\w+(?: \w+)?<</m.test(text))
      deepStrictEqual(referenceParse(text), instructions)
    },
  ),
  'a text is read or refused as the rules of the specification say': fc.property(anySource, (source) => {
    const expected = referenceParse(source)
    if (expected === undefined) failure(() => parseModelfile(source))
    else deepStrictEqual(plain(parseModelfile(source)), expected)
  }),
  'bytes are read or refused': fc.property(anyBytes, (bytes) => {
    outcome(bytes)
  }),
  'a Modelfile with a change in it is read or refused, and what is read is printed the same': fc.property(
    anyMutant,
    (bytes) => {
      if (outcome(bytes) === 'refused') return
      const instructions = plain(parseModelfile(bytes))
      deepStrictEqual(plain(parseModelfile(printModelfile(instructions))), instructions)
    },
  ),
}
