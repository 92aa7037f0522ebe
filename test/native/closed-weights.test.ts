import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openModel, type Model } from '../../lib/model/index.js'
import { writeRandomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const isMapped = (path: string): boolean => readFileSync('/proc/self/maps', 'utf8').includes(path)

describe.skipIf(process.platform !== 'linux')('the weights of a closed model', () => {
  const uses: readonly [after: string, use: (model: Model) => Promise<unknown>][] = [
    ['nothing', () => Promise.resolve()],
    ['an answer', async (model) => model.generate('a', { maxTokens: 2 })],
    [
      'a generation that was stopped',
      (model) => {
        model.generate('a', { ignoreEos: true }).abort()
        return Promise.resolve()
      },
    ],
    ['an embedding', (model) => model.embed('a')],
    ['a session', async (model) => (await model.session()).chat('a', { maxTokens: 2 })],
    [
      'sessions that are being forgotten',
      async (model) => {
        const sessions = await Promise.all(Array.from({ length: 16 }, () => model.session()))
        for (const session of sessions) void session.close()
      },
    ],
  ]
  it.each(uses)('leave memory at once, without the garbage collector, after %s', async (after, use) => {
    const path = await writeRandomModel(join(directory.path, `${after.replaceAll(' ', '-')}.gguf`), 'llama')
    const model = await openModel({ path }, { contextSize: 256, parallel: 1 })
    await use(model)
    expect(isMapped(path)).toBe(true)
    await model.close()
    expect(isMapped(path)).toBe(false)
  })
})
