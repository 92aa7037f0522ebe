import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { load } from '../../lib/index.js'
import { mediaTypes, Store } from '../../lib/store/index.js'
import { createModel } from '../store/stored-models.js'
import { u16 } from '../support/gguf-writer.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const program = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))
const loader = import.meta.resolve('tsx')
const canTrace = process.platform === 'linux' && spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0

/** Runs the program's own command and returns the calls that strace saw in it and its children. */
function traced(calls: string, args: readonly string[], modelsDirectory: string): { stdout: string; trace: string } {
  const log = join(directory.path, 'trace')
  const env = { ...process.env, HOME: directory.path, LLAMERO_MODELS: modelsDirectory }
  const command = ['-f', '-qq', '-s', '4096', '-e', `trace=${calls}`, '-o', log, process.execPath, '--import', loader]
  const { stdout } = spawnSync('strace', [...command, program, ...args], { env, encoding: 'utf8' })
  return { stdout, trace: readFileSync(log, 'utf8') }
}

function namesIn(trace: string, pattern: RegExp): string[] {
  const paths = trace.split('\n').flatMap((line) => pattern.exec(line)?.[1] ?? [])
  return [...new Set(paths.map((path) => basename(path)))].sort()
}

const answer = ['--temperature', '0', '--num-predict', '4']

describe.skipIf(!canTrace)('G9, N9: what answering a prompt opens and starts (with strace)', () => {
  let store: Store
  let weights: string
  beforeAll(async () => {
    store = new Store({ directory: join(directory.path, 'models') })
    weights = basename((await createModel(store, 'a')).modelPath)
    await createModel(store, 'b', 'Another license.')
  })

  it('of the store, the blobs of that model alone', { timeout: 120_000 }, () => {
    const { stdout, trace } = traced('open,openat,openat2', ['run', 'a', 'hello', ...answer], store.directory)
    expect(stdout).not.toBe('')
    const opened = namesIn(trace, /"([^"]*\/blobs\/[^"]+)"/)
    expect(opened).toContain(weights)
    expect(opened.length).toBeLessThanOrEqual(3)
    for (const line of trace.split('\n').filter((text) => text.includes('/blobs/')))
      expect(line).toMatch(/O_RDONLY|O_PATH/)
  })

  it('no other program than itself, and no socket', { timeout: 120_000 }, () => {
    const { trace } = traced('execve,connect,bind,listen', ['run', 'a', 'hello', ...answer], store.directory)
    const started = trace.split('\n').filter((line) => line.includes('execve('))
    expect(started.length).toBeGreaterThan(0)
    for (const line of started) if (line.includes(' = 0')) expect(line).toMatch(/execve\("[^"]*\/(node|esbuild)"/)
    expect(trace.split('\n').filter((line) => /(connect|bind|listen)\(.*AF_INET/.test(line))).toEqual([])
  })
})

describe('G9: a part of a split model in the store', () => {
  it('is refused, whatever lies beside it', async () => {
    const store = new Store({ directory: join(directory.path, 'split') })
    const split = {
      'split.no': u16(0),
      'split.count': u16(2),
      'split.tensors.count': { type: 'int32', value: 9 },
    } as const
    const { digest, sizeBytes } = await store.blobs.ingest([randomModel('llama', { metadata: split })])
    const layers = [{ mediaType: mediaTypes.model, digest, size: sizeBytes }]
    await store.createModel('half', { layers })
    const options = { modelsDirectory: store.directory, probeDirectory: join(directory.path, 'probes') }
    await expect(load('half', options)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_(UNSUPPORTED|MODEL_INVALID)$/) as string,
    })
  })
})
