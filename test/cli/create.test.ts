import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Store } from '../../lib/store/index.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { runInProcess } from './in-process.js'

const temporary = temporaryDirectory()
const weights = randomModel('llama', { metadata: { 'tokenizer.chat_template': undefined } })

function workplace() {
  const directory = mkdtempSync(join(temporary.path, 'create-'))
  const work = join(directory, 'work')
  mkdirSync(work)
  writeFileSync(join(work, 'weights.gguf'), weights)
  const store = new Store({ directory: join(directory, 'models') })
  const llamero = (...args: readonly string[]) => runInProcess(store.directory, args)
  const modelfile = (text: string) => {
    const path = join(work, 'My Modelfile')
    writeFileSync(path, text)
    return path
  }
  return { work, store, llamero, modelfile }
}

describe('create', () => {
  it('makes a model, with paths from where the Modelfile is, and says what it does', async () => {
    const { store, llamero, modelfile } = workplace()
    const file = modelfile('FROM ./weights.gguf\nSYSTEM Terse.\n')
    const { exitCode, stdout, stderr } = await llamero('create', 'mine', '-f', file)
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' })
    expect(stderr).toMatch(
      /^gathering model components\ncopying file\n(creating new layer sha256:[0-9a-f]{64}\n){2}writing manifest\nsuccess\n$/,
    )
    expect((await store.show('mine')).system).toBe('Terse.')
  })

  it('makes again what show prints', async () => {
    const { store, llamero, modelfile } = workplace()
    const text =
      'FROM ./weights.gguf\nSYSTEM """Terse.\n"And" kind."""\nPARAMETER stop " x"\nMESSAGE user Hi\nLICENSE Mine.\n'
    await llamero('create', 'mine', '-f', modelfile(text))
    const { stdout } = await llamero('show', 'mine', '--modelfile')
    const ending = await llamero('create', 'again', '-f', modelfile(stdout))
    expect(ending).toMatchObject({ exitCode: 0 })
    const [mine, again] = [await store.show('mine'), await store.show('again')]
    expect(again.layers.map(({ digest }) => digest).sort()).toEqual(mine.layers.map(({ digest }) => digest).sort())
  })

  it.each([
    [['create'], "Error: missing required argument 'model'\n"],
    [['create', 'no name'], /^Error: Expected a model name/],
    [['create', 'm', '-f', '/no/such/Modelfile'], /^Error: There is no Modelfile "\/no\/such\/Modelfile"\.\n$/],
  ])('%j ends with exit code 1', async (args, stderr) => {
    const ending = await workplace().llamero(...args)
    expect(ending).toMatchObject({ exitCode: 1, stdout: '' })
    expect(ending.stderr).toMatch(stderr)
  })

  it('tells the line of a mistake, and what the base was', async () => {
    const { llamero, modelfile } = workplace()
    const bad = await llamero('create', 'm', '-f', modelfile('FROM ./weights.gguf\n\nPARAMETER top_p 7\n'))
    expect(bad.exitCode).toBe(1)
    expect(bad.stderr).toMatch(/^Error: \(line 3\): .*top_p/)
    const missing = await llamero('create', 'm', '-f', modelfile('FROM ./other.gguf\n'))
    expect(missing.stderr).toMatch(/Error: There is no file or folder ".*other\.gguf"/)
  })
})
