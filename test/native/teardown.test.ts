import { beforeAll, describe, expect, it } from 'vitest'
import { writeMediaBeside } from '../support/media-models.js'
import { activities } from './activities.mjs'
import { program, type Ended } from './program.js'
import { patience, scriptedModelFile } from './test-engine.js'

const model = scriptedModelFile({ layers: 8 })
beforeAll(() => writeMediaBeside(model()))
const names = Object.keys(activities)
const timeout = 120_000 * patience

const expectedEnds: Record<string, Partial<Ended>> = {
  'nothing left to do': { code: 0, stderr: '' },
  'process.exit': { code: 7, stderr: '' },
  'process.exit a little later': { code: 7, stderr: '' },
  'an uncaught exception': { code: 1, stderr: expect.stringContaining('on purpose') },
  'an unhandled rejection': { code: 1, stderr: expect.stringContaining('on purpose') },
  SIGTERM: { signal: 'SIGTERM' },
  'work that begins in an exit listener': { code: 9, stderr: '' },
  'news that nobody could take': { code: 5, stderr: '' },
  'garbage collection': { code: 0, stderr: '' },
}

/** The kernel, or the same way out as another's, does the work: a few activities show that. */
const fewNames: Record<string, readonly string[]> = {
  'news that nobody could take': ['generating', 'idle'],
  'work that begins in an exit listener': ['generating', 'idle'],
  'an unhandled rejection': ['generating', 'loading a model'],
  SIGTERM: ['generating', 'loading a model', 'parked'],
}

describe.each(Object.entries(expectedEnds))('a process that ends by %s', (ending, expected) => {
  it.concurrent.each(fewNames[ending] ?? names)('while %s', { timeout }, async (activity) => {
    const ended = await program(
      'process-end.mjs',
      { path: model(), activity, ending },
      { nodeOptions: ['--expose-gc'] },
    )
    expect(ended).toMatchObject({ stdout: 'under way\n', ...expected })
  })
})

describe('process.exit', () => {
  const slowModel = scriptedModelFile({ layers: 24 })

  it.each(['generating', 'loading a model'])('gives its code every time while %s', { timeout }, async (activity) => {
    for (let times = 0; times < 16; times++) {
      const ending = times % 2 === 0 ? 'process.exit' : 'process.exit a little later'
      expect(await program('process-end.mjs', { path: slowModel(), activity, ending })).toMatchObject({ code: 7 })
    }
  })
})

describe.each([true, false])('worker threads, with the addon on the main thread: %s', (onMain) => {
  it('end in every way in the middle of everything', { timeout }, async () => {
    const ended = await program('worker-end.mjs', { path: model(), onMain }, { timeoutMs: 90_000 })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    const codes = {
      'it has nothing left to do': 0,
      'it calls process.exit': 3,
      'it throws': 'on purpose',
      'it is terminated': 1,
    }
    const expected = names.flatMap((activity) =>
      Object.entries(codes).map(([ending, code]) => [activity, ending, code]),
    )
    const lines = ended.stdout.trim().split('\n')
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual([...expected, ['idle', 'main', 0]])
  })
})

describe('an operation', () => {
  const needsModel = [
    'modelInfo',
    'tokenize',
    'detokenize',
    'piece',
    'chatTemplate',
    'engineCreate',
    'controlVectorCreate',
  ]
  const needsEngine = ['engineInfo', 'stats', 'submit', 'submit with an adapter']
  const refused: Record<string, readonly string[]> = {
    closing: ['submit', 'submit with an adapter'],
    closed: [...needsModel, ...needsEngine],
    'model closed first': needsModel,
  }
  const always: Record<string, string> = {
    'close, then submit': 'ERR_DISPOSED',
    'adapterClose, then submit': 'ERR_DISPOSED',
    'a handle of another kind': 'ERR_INTERNAL',
    'no handle': 'ERR_INTERNAL',
  }

  it('does what it should in every state', { timeout }, async () => {
    const { code, signal, stdout, stderr } = await program('operations.mjs', { path: model() })
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' })
    const outcomes = JSON.parse(stdout) as Record<string, Record<string, string>>
    expect(Object.keys(outcomes)).toHaveLength(7)
    for (const [state, cells] of Object.entries(outcomes)) {
      const expected = Object.keys(cells).map((operation) => [
        operation,
        always[operation] ?? (refused[state]?.includes(operation) === true ? 'ERR_DISPOSED' : 'ok'),
      ])
      expect({ state, ...cells }).toEqual({ state, ...Object.fromEntries(expected) })
    }
  })
})
