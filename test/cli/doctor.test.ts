import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { diagnosisText } from '../../lib/cli/diagnosis-text.js'
import { backendReport, cpuModules } from '../../lib/native.js'
import type { Diagnosis } from '../../lib/runtime/index.js'
import { Store } from '../../lib/store/index.js'
import { createModel, putManifest } from '../store/stored-models.js'
import { expectHarmless } from '../support/harmless.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { runInProcess } from './in-process.js'

const temporary = temporaryDirectory()
let store: Store
let count = 0
beforeEach(() => {
  store = new Store({ directory: join(temporary.path, `store-${(count += 1)}`) })
})

const doctor = (variables: Readonly<Record<string, string>> = {}, ...flags: readonly string[]) =>
  runInProcess(store.directory, ['doctor', ...flags], variables)

async function diagnosis(variables: Readonly<Record<string, string>> = {}): Promise<Diagnosis> {
  return JSON.parse((await doctor(variables, '--json')).stdout) as Diagnosis
}

describe('doctor', () => {
  it('shows what is there', async () => {
    await createModel(store, 'a')
    const { cpuModule, llamaTag, devices } = backendReport()
    const { exitCode, stdout, stderr } = await doctor({ OLLAMA_MODELS: store.directory })
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    const rows = Object.fromEntries(
      stdout
        .split('\n')
        .map((line) => line.trim().split(/ {4,}/))
        .map(([name = '', ...cells]) => [name, cells.join(' ')]),
    )
    expect(rows).toMatchObject({
      'llama.cpp': llamaTag,
      node: process.version,
      'cpu module': cpuModule,
      folder: store.directory,
      models: '1',
      OLLAMA_MODELS: store.directory,
    })
    for (const { name } of devices) expect(rows).toHaveProperty(name)
    expect(rows['size']).toMatch(/^\d+(\.\d)? [KM]B in 3 files$/)
    expect(rows['kernels']).toMatch(/^attention.* by llamero$/)
  })

  it('prints the same as JSON', async () => {
    await createModel(store, 'a')
    const { engine, store: found, machine } = await diagnosis()
    expect(engine).toMatchObject({
      ...backendReport(),
      devices: expect.anything() as unknown,
      cpuModules: cpuModules(),
    })
    expect(found).toMatchObject({ directory: store.directory, models: 1, files: 3, isWritable: true, faults: [] })
    expect(machine.threads).toBeGreaterThan(0)
  })

  it('finds nothing wrong with a store that is not there yet', async () => {
    expect(await doctor()).toMatchObject({ exitCode: 0, stderr: '' })
    expect((await diagnosis()).store).toMatchObject({ models: 0, files: 0, sizeBytes: 0, isWritable: true })
  })
})

describe('doctor ends with exit code 1 and says what to do', () => {
  const cases: readonly [what: string, damage: () => Promise<void>, said: RegExp][] = [
    ['for a manifest that cannot be read', async () => putManifest(store, 'broken', '{'), /^failed: .*broken.*$/m],
    [
      'for a model without its weights',
      async () => rmSync((await createModel(store, 'a')).modelPath),
      /^failed: The model a:latest is damaged: .* is missing\. Pull the model again/m,
    ],
    [
      'for a file in the place of the store',
      async () => writeFileSync(store.directory, ''),
      /^failed: The model store .* is not a folder; name the folder of models/m,
    ],
  ]
  it.each(cases)('%s', async (_, damage, said) => {
    await damage()
    const { exitCode, stdout, stderr } = await doctor()
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: 'Error: a check failed\n' })
    expect(stdout).toMatch(said)
    expect(await doctor({}, '--json')).toMatchObject({ exitCode: 1, stderr })
  })

  it('without an addon, of which it shows nothing', async () => {
    const whole = await diagnosis()
    const message = "There is no native addon. Run 'npm run build'."
    const text = diagnosisText({ ...whole, engine: message, findings: [{ kind: 'fault', message }] })
    expect(text).toMatch(/^ {4}llama\.cpp +not loaded$/m)
    expect(text).not.toContain('cpu module')
    expect(text).toMatch(/\nfailed: There is no native addon\. Run 'npm run build'\.\n$/)
  })
})

describe('variables', () => {
  it('are shown without their secrets', async () => {
    const secret = 'canary-1234'
    const variables = {
      HF_TOKEN: secret,
      HUGGING_FACE_HUB_TOKEN: secret,
      HF_ENDPOINT: `http://me:${secret}@mirror.invalid/hub?key=${secret}`,
      HTTPS_PROXY: `http://me:${secret}@proxy.invalid:3128`,
      http_proxy: `me:${secret}@proxy.invalid`,
      NO_PROXY: 'localhost,127.0.0.1',
      HF_HOME: '/srv/me@work',
    }
    const { stdout } = await doctor(variables)
    expectHarmless(stdout)
    for (const name of Object.keys(variables)) expect(stdout).toContain(`    ${name} `)
    expect((await diagnosis(variables)).variables).toEqual({
      HF_TOKEN: '…',
      HUGGING_FACE_HUB_TOKEN: '…',
      HF_ENDPOINT: 'http://…@mirror.invalid/hub?…',
      HTTPS_PROXY: 'http://…@proxy.invalid:3128',
      http_proxy: '…@proxy.invalid',
      NO_PROXY: 'localhost,127.0.0.1',
      HF_HOME: '/srv/me@work',
    })
  })

  it('that only look known are named', async () => {
    const { exitCode, stdout } = await doctor({ LLAMERO_MODEL: 'x', OLLAMA_HOST: 'y', OTHER: 'z' })
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^advice: The variable LLAMERO_MODEL is set, but llamero does not know it\.$/m)
    expect(stdout).toMatch(/^advice: The variable OLLAMA_HOST /m)
    expect(stdout).not.toContain('OTHER')
  })
})
