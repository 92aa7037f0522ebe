import { mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { load, type LoadOptions, type Model } from '../../lib/index.js'
import { startProgram } from '../support/child-program.js'
import { predict } from '../support/script.js'
import { scriptedLora, writeScriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { loraFile } from '../support/tiny-lora.js'

const temporary = temporaryDirectory()
const path = join(temporary.path, 'scripted.gguf')
const lora = join(temporary.path, 'lora.gguf')
const other = join(temporary.path, 'other.gguf')
beforeAll(async () => {
  await writeScriptedModel(path)
  await writeScriptedModel(other, { sharpness: 3 })
  writeFileSync(lora, loraFile(scriptedLora(1, 2)))
})

const hasLimits = process.platform !== 'win32'
const greedy = { temperature: 0, maxTokens: 12, ignoreEos: true } as const
const long = `K1${'.'.repeat(300)}`
const newDirectory = (): string => mkdtempSync(join(temporary.path, 'cache-'))
const settings = { probe: false, threads: 1, contextSize: 4096, parallel: 4 } as const

async function withModel<Value>(
  cacheDirectory: string | undefined,
  use: (model: Model) => PromiseLike<Value>,
  options: LoadOptions = {},
  file = path,
): Promise<Value> {
  const model = await load(file, { ...settings, cacheDirectory, ...options })
  try {
    return await use(model)
  } finally {
    await model.close()
  }
}

async function cachedOf(model: Model, prompt = long, options: object = {}): Promise<number> {
  const { usage, text } = await model.generate(prompt, { ...greedy, ...options })
  if (!('adapters' in options)) expect(text).toBe(predict(prompt, greedy).text)
  return usage.cachedTokens
}

describe('a cache directory', () => {
  it('is made for its owner, and has another process find what this one has computed', async () => {
    const directory = join(newDirectory(), 'deep', 'cache')
    expect(await withModel(directory, (model) => cachedOf(model))).toBe(0)
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    const args = [path, directory, `${long}again`]
    const { stdout, stderr } = await startProgram(new URL('cache-directory-child.ts', import.meta.url), args).result
    expect(stderr).toBe('')
    const { text, cachedTokens, diskHits } = JSON.parse(stdout) as Record<string, unknown>
    expect({ text, diskHits }).toEqual({ text: predict(`${long}again`, greedy).text, diskHits: 1 })
    expect(cachedTokens).toBeGreaterThan(300)
  })

  it('is no part of a model that was not given one', async () => {
    const directory = newDirectory()
    await withModel(directory, (model) => cachedOf(model))
    expect(await withModel(undefined, (model) => cachedOf(model))).toBe(0)
  })

  it.each<[string, LoadOptions, string]>([
    ['other weights', {}, other],
    ['another type of keys', { keyType: 'q8_0' }, path],
    ['another type of values', { valueType: 'q8_0' }, path],
    ['no flash attention', { flashAttention: 'off' }, path],
  ])('gives nothing to a model with %s', async (_title, options, file) => {
    const directory = newDirectory()
    await withModel(directory, (model) => cachedOf(model))
    await withModel(directory, (model) => cachedOf(model).then((cached) => expect(cached).toBe(0)), options, file)
    expect(await withModel(directory, (model) => cachedOf(model))).toBeGreaterThan(290)
  })

  it('gives prefixes to those alone who compute them with the same adapters', async () => {
    const directory = newDirectory()
    const asked = (scale: number) => (model: Model) =>
      model.adapter(lora).then((adapter) => cachedOf(model, long, { adapters: [{ adapter, scale }] }))
    expect(await withModel(directory, asked(1))).toBe(0)
    expect(await withModel(directory, asked(0.5))).toBe(0)
    expect(await withModel(directory, (model) => cachedOf(model))).toBe(0)
    for (const scale of [1, 0.5, 0]) expect(await withModel(directory, asked(scale))).toBeGreaterThan(290)
  })

  it('keeps tenants apart after a restart', async () => {
    const directory = newDirectory()
    const asked = (key: string) => (model: Model) => cachedOf(model, long, { cache: { key } })
    expect(await withModel(directory, asked('one'))).toBe(0)
    expect(await withModel(directory, asked('two'))).toBe(0)
    for (const key of ['one', 'two']) expect(await withModel(directory, asked(key))).toBeGreaterThan(290)
  })

  it('brings the past of a conversation back', async () => {
    const directory = newDirectory()
    const messages = await withModel(directory, async (model) => {
      const session = await model.session({ system: 'K5' })
      await session.chat(long, greedy)
      return session.messages
    })
    const { usage } = await withModel(directory, (model) =>
      model.chat([...messages, { role: 'user', content: 'K5 go on' }], greedy),
    )
    expect(usage.inputTokens - usage.cachedTokens).toBeLessThan(64)
  })

  it.skipIf(!hasLimits)('on a full disk is as none', async () => {
    const directory = newDirectory()
    const limited = ['bash', '-c', 'ulimit -f 60; exec "$@"', '-'] // the file would have 84 kB
    const program = new URL('cache-directory-child.ts', import.meta.url)
    const { stdout, stderr } = await startProgram(program, [path, directory, long], limited).result
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toMatchObject({ text: predict(long, greedy).text, cachedTokens: 0 })
    expect(readdirSync(directory)).toEqual([])
    await startProgram(program, [path, directory, long]).result
    expect(readdirSync(directory)).toHaveLength(1)
  })

  it('that can not be made is refused with ERR_STORE', async () => {
    await expect(load(path, { ...settings, cacheDirectory: join(path, 'below') })).rejects.toMatchObject({
      code: 'ERR_STORE',
    })
  })

  it('of no bytes stays empty', async () => {
    const directory = newDirectory()
    await withModel(directory, (model) => cachedOf(model), { cacheDirectoryBytes: 0 })
    expect(readdirSync(directory)).toEqual([])
  })
})
