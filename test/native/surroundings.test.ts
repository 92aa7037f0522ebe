import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const marker = () => join(directory.path, 'ran')
const child = fileURLToPath(new URL('load-child.ts', import.meta.url))
const loader = import.meta.resolve('tsx')

function loadIn(folder: string, model: string, variables: NodeJS.ProcessEnv): ReturnType<typeof spawnSync> {
  const env = { ...process.env, ...variables }
  return spawnSync(process.execPath, ['--import', loader, child, model], { cwd: folder, env, encoding: 'utf8' })
}

function hasCompiler(): boolean {
  return spawnSync('cc', ['--version']).status === 0
}

beforeEach(() => rmSync(marker(), { force: true }))

describe.skipIf(process.platform !== 'linux' || !hasCompiler())(
  'G10: libraries that only look like backends (Linux, with a C compiler)',
  () => {
    let model: string
    const fake = (name: string) => join(directory.path, name)
    beforeAll(async () => {
      model = await directory.write('good.gguf', randomModel('llama'))
      const source = fake('fake.c')
      writeFileSync(
        source,
        `#include <stdlib.h>
#include <stdio.h>
__attribute__((constructor)) static void run(void) { FILE *file = fopen(${JSON.stringify(marker())}, "w"); if (file) fclose(file); }
int ggml_backend_score(void) { return 1000000; }
`,
      )
      for (const name of ['libggml-cpu-fake.so', 'libllamero-ggml-cpu-fake.so', 'libggml-blas.so'])
        execFileSync('cc', ['-shared', '-fPIC', '-o', fake(name), source])
    })

    it('would run if they were loaded', () => {
      loadIn('/', model, { LD_PRELOAD: fake('libggml-blas.so') })
      expect(existsSync(marker())).toBe(true)
    })

    it.each([
      ['the current directory', {}],
      ['GGML_BACKEND_PATH', { GGML_BACKEND_PATH: 'libggml-cpu-fake.so' }],
    ])('are not loaded from %s', (_, { GGML_BACKEND_PATH: name }: { GGML_BACKEND_PATH?: string }) => {
      const variables = name === undefined ? {} : { GGML_BACKEND_PATH: fake(name) }
      const { stdout, status } = loadIn(directory.path, model, variables)
      expect({ stdout, status }).toEqual({ stdout: 'loaded', status: 0 })
      expect(existsSync(marker())).toBe(false)
    })
  },
)

describe.skipIf(process.platform !== 'linux')('G11: an assertion of ggml (Linux)', () => {
  let deadly: string
  beforeAll(async () => {
    // The validator refuses this file; llama.cpp ends its process over it.
    const metadata = { 'llama.block_count': { type: 'uint32', value: 513 } } as const
    deadly = await directory.write('deadly.gguf', randomModel('llama', { metadata }))
    writeFileSync(join(directory.path, 'gdb'), `#!/bin/sh\n: > ${marker()}\n`, { mode: 0o755 })
  })

  it('starts no debugger and prints no backtrace', { timeout: 60_000 }, () => {
    const startedAt = performance.now()
    const { signal, stderr } = loadIn('/', deadly, { PATH: `${directory.path}:${process.env['PATH']}` })
    expect(signal).toBe('SIGABRT')
    expect(existsSync(marker())).toBe(false)
    expect(String(stderr)).not.toMatch(/0x[0-9a-f]{6,}/)
    expect(performance.now() - startedAt).toBeLessThan(30_000)
  })
})
