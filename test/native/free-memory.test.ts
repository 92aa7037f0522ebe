import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { backendReport, nativeAddon } from '../../lib/native.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
let systems = 0

/** A system's files, in a folder of their own. */
function system(files: Readonly<Record<string, string>>): string {
  const root = join(directory.path, String(systems++))
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return root
}

const meminfo = {
  'proc/meminfo': 'MemTotal:       16000 kB\nMemFree:         1000 kB\nMemAvailable:    8000 kB\nBuffers: 5 kB\n',
}
const kilobyte = 1024
const gigabytes = (count: number) => String(count * 2 ** 30)
const second = (path: string) => ({ 'proc/self/cgroup': `0::${path}\n` })
const stat = (inactive: number, active: number) => `anon 1\nfile 9\ninactive_file ${inactive}\nactive_file ${active}\n`

describe('free memory', () => {
  const cases: readonly [rule: string, files: Record<string, string>, bytes: number][] = [
    ['is what the system calls available', meminfo, 8000 * kilobyte],
    [
      'is that where no group has a limit',
      {
        ...meminfo,
        ...second('/user/x'),
        'sys/fs/cgroup/user/x/memory.max': 'max\n',
        'sys/fs/cgroup/user/x/memory.current': '100\n',
      },
      8000 * kilobyte,
    ],
    [
      'is that where a limit is higher',
      {
        ...meminfo,
        ...second('/'),
        'sys/fs/cgroup/memory.max': gigabytes(1),
        'sys/fs/cgroup/memory.current': '5',
      },
      8000 * kilobyte,
    ],
    [
      'is what a limit leaves, with files in the page cache counted as free',
      {
        ...meminfo,
        ...second('/box'),
        'sys/fs/cgroup/box/memory.max': '1000000',
        'sys/fs/cgroup/box/memory.current': '900000',
        'sys/fs/cgroup/box/memory.stat': stat(200_000, 30_000),
      },
      330_000,
    ],
    [
      'is what the closest limit above leaves',
      {
        ...meminfo,
        ...second('/slice/box'),
        'sys/fs/cgroup/slice/memory.max': '1000000',
        'sys/fs/cgroup/slice/memory.current': '600000',
        'sys/fs/cgroup/slice/box/memory.max': 'max',
        'sys/fs/cgroup/slice/box/memory.current': '500000',
      },
      400_000,
    ],
    [
      'is found in a container that sees its group as the root',
      {
        ...meminfo,
        ...second('/docker/0123'),
        'sys/fs/cgroup/memory.max': '1000000',
        'sys/fs/cgroup/memory.current': '250000',
      },
      750_000,
    ],
    [
      'is nothing beyond a limit',
      { ...meminfo, ...second('/'), 'sys/fs/cgroup/memory.max': '1000', 'sys/fs/cgroup/memory.current': '2000' },
      0,
    ],
    [
      'is what a limit of the first version leaves',
      {
        ...meminfo,
        'proc/self/cgroup': '12:cpu,cpuacct:/box\n5:memory:/box\n1:name=systemd:/\n',
        'sys/fs/cgroup/memory/box/memory.limit_in_bytes': '1000000',
        'sys/fs/cgroup/memory/box/memory.usage_in_bytes': '700000',
        'sys/fs/cgroup/memory/box/memory.stat': 'cache 9\ntotal_inactive_file 50000\ntotal_active_file 1000\n',
      },
      351_000,
    ],
    [
      'is what the system calls available where the first version has no limit, and files grew while they were counted',
      {
        ...meminfo,
        'proc/self/cgroup': '5:memory:/\n',
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
        'sys/fs/cgroup/memory/memory.usage_in_bytes': '700000',
        'sys/fs/cgroup/memory/memory.stat': 'total_inactive_file 0\ntotal_active_file 800000\n',
      },
      8000 * kilobyte,
    ],
  ]
  it.each(cases)('%s', (_rule, files, bytes) => {
    expect(nativeAddon().freeMemory(system(files)).mainBytes).toBe(bytes)
  })

  it('of this machine is some, and not more than there is', () => {
    const { mainBytes, gpuBytes } = nativeAddon().freeMemory('/')
    expect(mainBytes).toBeGreaterThan(2 ** 24)
    expect(mainBytes).toBeLessThan(2 ** 50)
    const hasGpu = backendReport().devices.some(({ type }) => type === 'gpu')
    expect(gpuBytes > 0).toBe(hasGpu)
  })
})
