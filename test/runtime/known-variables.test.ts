import { expect, it } from 'vitest'
import { obeyedVariables } from '../../lib/runtime/known-variables.js'
import { sourceFiles } from '../contracts/source-file.js'

it('every variable that the library reads by its name is known', () => {
  const read = sourceFiles(['lib'], /\.ts$/)
    .flatMap(({ text }) => [...text.matchAll(/\b(?:variables|environment)\.([A-Z_]+)\b/g)])
    .map(([, name = '']) => name)
  expect(read.length).toBeGreaterThan(5)
  expect(Object.keys(obeyedVariables(Object.fromEntries(read.map((name) => [name, 'x']))))).toEqual(
    expect.arrayContaining(read),
  )
})
