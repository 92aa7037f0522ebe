import { describe, expect, it } from 'vitest'
import { findingsOf } from '../../lib/runtime/findings.js'
import type { EngineFacts, Installation } from '../../lib/runtime/installation.js'

const cpu = { name: 'CPU', description: 'a CPU', type: 'cpu', totalBytes: 8e9, freeBytes: 4e9 } as const
const engine: EngineFacts = {
  llamaTag: 'v1',
  cpuModule: 'zen4',
  cpuModules: [{ name: 'zen4', path: '/zen4.so', score: 100, kernels: ['attention', 'products'] }],
  acceleratorModules: [],
  devices: [cpu],
  freeBytes: 4e9,
}
const installation: Installation = {
  versions: { llamero: '1.0.0', node: 'v20.3.0' },
  machine: {
    platform: 'linux',
    release: '6.1',
    architecture: 'x64',
    cpu: 'a CPU',
    instructions: ['sse4_2', 'avx2'],
    threads: 2,
    memoryBytes: 8e9,
    hasNvidia: false,
  },
  engine,
  store: { directory: '/models', models: 1, files: 3, sizeBytes: 1e8, freeBytes: 1e10, isWritable: true, faults: [] },
  variables: {},
  strangeVariables: [],
}

type Change = { readonly [Key in keyof Installation]?: Partial<Installation[Key]> }

function findings(change: Change): string[] {
  const merged = Object.fromEntries(
    Object.entries(installation).map(([key, value]: [string, unknown]) => {
      const own = change[key as keyof Installation] as unknown
      if (own === undefined) return [key, value]
      return [key, typeof own === 'string' || Array.isArray(own) ? own : { ...(value as object), ...(own as object) }]
    }),
  ) as unknown as Installation
  return findingsOf(merged).map(({ kind, message }) => `${kind}: ${message}`)
}

const cuda = { acceleratorModules: ['/libggml-cuda.so'] }
const gpu = { ...cpu, name: 'CUDA0', type: 'gpu' } as const

describe('what is said about an installation', () => {
  const cases: readonly [what: string, change: Change, said: readonly RegExp[]][] = [
    ['nothing, where all is well', {}, []],
    ['that the addon is missing', { engine: 'Build it.' }, [/^fault: Build it\.$/]],
    [
      'that modules are missing',
      { engine: { cpuModule: 'x64' } },
      [/^fault: The CPU has AVX2, .* x64, .*npm run build/],
    ],
    [
      'nothing of modules where the CPU has no more',
      { engine: { cpuModule: 'x64' }, machine: { instructions: [] } },
      [],
    ],
    ['nothing, where a GPU computes', { engine: { ...cuda, devices: [gpu, cpu] }, machine: { hasNvidia: true } }, []],
    [
      'that a GPU is there but not found',
      { engine: cuda, machine: { hasNvidia: true } },
      [/^fault: No GPU .*cuda\.so/],
    ],
    ['that no GPU is there', { engine: cuda }, [/^advice: No GPU .*libggml-cuda\.so.*nvidia-smi/]],
    ['that a GPU could be used', { machine: { hasNvidia: true } }, [/^advice: There is an NVIDIA GPU/]],
    ['what is wrong with models', { store: { faults: ['One.', 'Two.'] } }, [/^fault: One\.$/, /^fault: Two\.$/]],
    ['that the store cannot be written', { store: { isWritable: false } }, [/^advice: .*\/models can't be written/]],
    ['that the disk is full', { store: { freeBytes: 1e6 } }, [/^advice: The disk .*llamero prune/]],
    ['nothing of a disk that does not tell', { store: { freeBytes: undefined } }, []],
    [
      'the faults first',
      { strangeVariables: ['LLAMERO_X'], store: { faults: ['One.'] } },
      [/^fault: One\.$/, /^advice: .*LLAMERO_X/],
    ],
  ]
  it.each(cases)('%s', (_, change, said) => {
    const found = findings(change)
    expect(found).toHaveLength(said.length)
    for (const [index, pattern] of said.entries()) expect(found[index]).toMatch(pattern)
  })
})
