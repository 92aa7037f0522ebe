import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Store } from '../../lib/store/index.js'
import { writeScriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { serveFiles } from '../transfer/file-server.js'
import { serveHub } from '../transfer/scripted-hub.js'
import { freshEnvironment, llamero } from './command-line.js'

const temporary = temporaryDirectory()

it('a model comes from Hugging Face and from an address, and goes by what it came from', async () => {
  const weights = readFileSync(await writeScriptedModel(join(temporary.path, 'model.gguf')))
  await using hub = await serveHub({ files: { 'm-Q4_K_M.gguf': weights }, token: 'hf_canary' })
  await using server = await serveFiles({ '/m.gguf': weights })
  const environment = { ...freshEnvironment(temporary.path), HF_ENDPOINT: hub.endpoint, HF_TOKEN: 'hf_canary' }
  const address = new URL('/m.gguf', server.url).href

  const fromHub = await llamero(['pull', 'https://huggingface.co/org/repo'], { environment })
  expect(fromHub).toMatchObject({
    exitCode: 0,
    stdout: '',
    stderr: expect.stringMatching(/\nsuccess\nstored as huggingface\.co\/org\/repo:latest\n$/) as string,
  })
  const fromAddress = await llamero(['pull', address], { environment })
  expect(fromAddress).toMatchObject({
    exitCode: 0,
    stderr: expect.stringMatching(/\nsuccess\nstored as url\/library\/m:[0-9a-f]{12}\n$/) as string,
  })
  const store = new Store({ directory: environment.LLAMERO_MODELS })
  expect((await store.list()).models).toHaveLength(2)

  for (const reference of ['https://huggingface.co/org/repo', address]) {
    expect(await llamero(['rm', reference], { environment })).toMatchObject({ exitCode: 0 })
  }
  expect((await store.list()).models).toEqual([])
})
