import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Store } from '../../lib/store/index.js'
import { startProgram } from '../support/child-program.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { expectClean } from './clean-store.js'

const temporary = temporaryDirectory()
const program = new URL('./disk-full-child.ts', import.meta.url)
const full = { code: 'ERR_DISK_FULL', freeBytes: expect.any(Number) as number }

function runs(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const hasLimits = process.platform !== 'win32' && runs('bash', '-c', 'ulimit -f 100')
const hasMounts = process.platform === 'linux' && runs('unshare', '-Urm', 'true')

describe('a full disk', () => {
  it.skipIf(!hasLimits)(`at a limit on file sizes (EFBIG)${hasLimits ? '' : ': no ulimit here'}`, async () => {
    const directory = join(temporary.path, 'limit')
    const { stdout, stderr } = await startProgram(program, [directory], ['bash', '-c', 'ulimit -f 200; exec "$@"', '-'])
      .result
    const seen = JSON.parse(stdout || `"${stderr}"`) as Record<string, unknown>
    expect(seen).toMatchObject({ first: full, download: { ...full, neededBytes: 5e9 }, again: 'done' })
    expect(seen.kept).toBeGreaterThan(100_000)
    const store = new Store({ directory })
    await expectClean(store)
    expect(readdirSync(join(directory, 'ingest'))).toHaveLength(1)
  })

  it.skipIf(!hasMounts)(`on a disk of 4 MiB (ENOSPC)${hasMounts ? '' : ': no user namespaces here'}`, async () => {
    const directory = join(temporary.path, 'disk')
    mkdirSync(directory)
    const mount = `mount -t tmpfs -o size=4m none ${directory} && head -c 2000000 /dev/zero > ${directory}/ballast && exec "$@"`
    const child = startProgram(
      program,
      [directory, join(directory, 'ballast')],
      ['unshare', '-Urm', 'bash', '-c', mount, '-'],
    )
    const { stdout, stderr } = await child.result
    const seen = JSON.parse(stdout || JSON.stringify(stderr)) as Record<string, unknown>
    expect(seen).toMatchObject({
      first: full,
      download: { ...full, neededBytes: 5e9 },
      wanted: { ...full, neededBytes: 1e15 },
      again: 'done',
    })
    expect(seen.kept).toBeGreaterThan(1_000_000)
    expect((seen.download as { message: string }).message).toMatch(/5\.0 GB are needed, .* are free/)
  })
})
