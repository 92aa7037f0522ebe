import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModel, type Model } from '../../lib/model/index.js'
import { writeScriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const built = existsSync(join(import.meta.dirname, '../../build/Release/llamero.node'))
const directory = temporaryDirectory()
const rules = (count: number, rule: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => rule(i)).join('\n')

describe.runIf(built)('a grammar that passed our checks', () => {
  let model: Model
  beforeAll(async () => {
    const path = await writeScriptedModel(join(directory.path, 'scripted.gguf'))
    model = await openModel({ path }, { contextSize: 1024, parallel: 2 })
  })
  afterAll(() => model.close())

  it.each([
    ['alternatives', 'root ::= "yes" | "no"', /^(yes|no)$/],
    ['a class', 'root ::= [0-9]{3}', /^\d{3}$/],
    ['a repetition of a group that may be empty', 'root ::= ("a"?)* "b"', /^a*b?$/],
    ['the longest repetition', 'root ::= "a"{0,1000} "b"', /^a*b?$/],
    ['the most alternatives', `root ::= ${rules(1500, (i) => `"v${i}"`).replaceAll('\n', ' | ')}`, /^v\d+$/],
    ['the most optional items', `root ::= "x" ${'("a"?) '.repeat(120)}"b"`, /^xa*b?$/],
    ['the longest chain', `root ::= r0\n${rules(250, (i) => `r${i} ::= r${i + 1}`)}\nr250 ::= "a"`, /^a$/],
    [
      'the most ways',
      `root ::= r0\n${rules(9, (i) => `r${i} ::= r${i + 1} "x" | r${i + 1} "y"`)}\nr9 ::= "a"`,
      /^a[xy]*$/,
    ],
    ['the deepest parentheses', `root ::= ${'('.repeat(64)}"a"${')'.repeat(64)}`, /^a$/],
    ['the longest literal', `root ::= "${'a'.repeat(60_000)}"`, /^a+$/],
    ['a repetition of what may be empty', 'root ::= ("a" | )* "b"', /^a*b?$/],
    ['nothing', 'root ::= ', /^$/],
  ])('holds the answer: %s', async (_title, grammar, answer) => {
    const start = performance.now()
    const { text } = await model.generate('K0', { grammar, temperature: 0, maxTokens: 8 })
    expect(text).toMatch(answer)
    expect(performance.now() - start).toBeLessThan(10_000)
  })

  it('but names a token that is none is an ERR_GRAMMAR, and neighbours go on', async () => {
    const neighbour = model.generate('K9', { temperature: 0 })
    const refused = model.generate('K0', { grammar: 'root ::= <no such token>' })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_GRAMMAR' })
    expect((await neighbour).text).toBe('0123456789')
  })
})
