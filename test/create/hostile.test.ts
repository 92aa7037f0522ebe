import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { create } from '../../lib/create/index.js'
import { mediaTypes, Store } from '../../lib/store/index.js'
import { expectClean } from '../store/clean-store.js'
import { startProgram } from '../support/child-program.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const temporary = temporaryDirectory()
const upkeep = new URL('../store/upkeep-child.ts', import.meta.url)

function workshop() {
  const root = mkdtempSync(join(temporary.path, 'hostile-'))
  const directory = join(root, 'work')
  mkdirSync(directory)
  writeFileSync(join(directory, 'weights.gguf'), randomModel('llama'))
  return { directory, store: new Store({ directory: join(root, 'models') }) }
}

describe.skipIf(process.platform === 'win32')('S3, S4: what only looks like a file of a model (POSIX files)', () => {
  const endless: readonly [path: string, code: string][] = [
    ['/dev/zero', 'ERR_MODEL_NOT_FOUND'],
    ['/dev/random', 'ERR_MODEL_NOT_FOUND'],
    ['./pipe', 'ERR_MODEL_NOT_FOUND'],
    ['./pipe.gguf', 'ERR_MODEL_NOT_FOUND'],
    ['./zero.gguf', 'ERR_MODEL_NOT_FOUND'],
    ['./circle.gguf', 'ERR_MODEL_NOT_FOUND'],
    ['./secret.gguf', 'ERR_MODEL_INVALID'],
    ['./folder', 'ERR_MODEL_INVALID'],
    ['./pipes', 'ERR_MODEL_NOT_FOUND'],
    ['./linked', 'ERR_MODEL_INVALID'],
  ]
  it.each(endless)('%s is refused at once, wherever it is named', async (path, code) => {
    const { directory, store } = workshop()
    for (const name of ['pipe', 'pipe.gguf']) execFileSync('mkfifo', [join(directory, name)])
    symlinkSync('/dev/zero', join(directory, 'zero.gguf'))
    symlinkSync('circle.gguf', join(directory, 'circle.gguf'))
    symlinkSync('/etc/passwd', join(directory, 'secret.gguf'))
    mkdirSync(join(directory, 'folder'))
    symlinkSync('/etc/passwd', join(directory, 'folder', 'model.gguf'))
    for (const name of ['pipes', 'linked']) mkdirSync(join(directory, name))
    execFileSync('mkfifo', [join(directory, 'pipes', 'model.gguf')])
    symlinkSync('../pipe', join(directory, 'linked', 'model.gguf'))
    mkdirSync(join(directory, 'pipes', 'folder.gguf'))
    for (const modelfile of [
      `FROM ${path}`,
      `FROM weights.gguf\nADAPTER ${path}`,
      `FROM weights.gguf\nDRAFT ${path}`,
    ]) {
      const begin = performance.now()
      const failure: unknown = await create(store, 'm', modelfile, { directory }).result.catch(
        (error: unknown) => error,
      )
      expect(failure, modelfile).toMatchObject({ code })
      expect(String(failure)).not.toMatch(/root:/)
      expect(performance.now() - begin).toBeLessThan(3000)
    }
    expect((await store.list()).models).toEqual([])
  })
})

describe('S9: a model of very many texts', () => {
  it('is refused before they are read', async () => {
    const { load } = await import('../../lib/runtime/index.js')
    const { directory, store } = workshop()
    await create(store, 'm', 'FROM weights.gguf', { directory })
    const { layers } = await store.show('m')
    const license = await store.addLayer(mediaTypes.license, 'x'.repeat(4_000_000))
    await store.createModel('m', { layers: [...layers, ...Array.from({ length: 1000 }, () => license)] })
    const refusal = { code: 'ERR_MANIFEST_INVALID', message: expect.stringMatching(/4\d{9} bytes/) as string }
    await expect(store.show('m')).rejects.toMatchObject(refusal)
    await expect(load('m', { modelsDirectory: store.directory, probe: false })).rejects.toMatchObject(refusal)
  })
})

describe('S14, S15: what a stored model says', () => {
  it.each([
    [{ num_predict: 1e300 }, 'ERR_OPTION_INVALID'],
    [{ stop: Array.from({ length: 1000 }, (_, index) => `${index}`) }, 'ERR_OPTION_INVALID'],
    [{ temperature: 'hot' }, 'ERR_OPTION_INVALID'],
    [{ num_ctx: { deep: 1 } }, 'ERR_MANIFEST_INVALID'],
  ])('the parameters %j are refused when it is loaded', async (parameters, code) => {
    const { load } = await import('../../lib/runtime/index.js')
    const { directory, store } = workshop()
    await create(store, 'm', 'FROM weights.gguf', { directory })
    const { layers } = await store.show('m')
    const others = layers.filter(({ mediaType }) => mediaType !== mediaTypes.params)
    const params = await store.addLayer(mediaTypes.params, JSON.stringify(parameters))
    await store.createModel('m', { layers: [...others, params] })
    const loading = load('m', { modelsDirectory: store.directory, probe: false, contextSize: 256 })
    await expect(loading).rejects.toMatchObject({ code })
  })
})

describe('S12: a store that another process clears all the time', () => {
  it('loses nothing of what is being made', { timeout: 60_000 }, async () => {
    const { directory, store } = workshop()
    await create(store, 'base', 'FROM weights.gguf\nSYSTEM Base.', { directory })
    const clearing = startProgram(upkeep, [store.directory, 'prune'])
    const clearingState = { isOver: false }
    void clearing.result.then(() => (clearingState.isOver = true))
    let rounds = 0
    for (; !clearingState.isOver; rounds += 1) {
      const from = rounds % 2 === 0 ? './weights.gguf' : 'base'
      await create(store, `m${rounds % 3}`, `FROM ${from}\nSYSTEM Round ${rounds}.\nLICENSE ${rounds}`, { directory })
      expect((await store.show(`m${rounds % 3}`)).system).toBe(`Round ${rounds}.`)
    }
    const { code, stdout, stderr } = await clearing.result
    expect(code, stderr).toBe(0)
    expect(Number(stdout)).toBeGreaterThan(5)
    expect(rounds).toBeGreaterThan(5)
    await expectClean(store)
  })
})
