import type { EngineFacts, Installation, MachineFacts } from './installation.js'

/** Something to be said about an installation, and what to do. */
export interface Finding {
  /** A fault keeps models from loading, or makes them many times slower than they need to be. */
  readonly kind: 'fault' | 'advice'
  readonly message: string
}

type Judged = readonly Finding[]

const leastFreeBytes = 2 ** 30

/** Judges an installation: the faults first. */
export function findingsOf({ engine, machine, store, strangeVariables }: Installation): Finding[] {
  const findings = [
    ...(typeof engine === 'string'
      ? [fault(engine)]
      : [...moduleFindings(engine, machine), ...gpuFindings(engine, machine)]),
    ...(store.faults.length > 0 ? store.faults.map(fault) : storeFindings(store)),
    ...strangeVariables.map((name) => advice(`The variable ${name} is set, but llamero does not know it.`)),
  ]
  const of = (kind: Finding['kind']): Judged => findings.filter((finding) => finding.kind === kind)
  return [...of('fault'), ...of('advice')]
}

const fault = (message: string): Finding => ({ kind: 'fault', message })
const advice = (message: string): Finding => ({ kind: 'advice', message })

/** The modules for processors without AVX2. */
const plainModules = ['x64', 'sse42', 'sandybridge', 'ivybridge', 'piledriver']

function moduleFindings({ cpuModule }: EngineFacts, { instructions }: MachineFacts): Judged {
  if (!instructions.includes('avx2') || !plainModules.includes(cpuModule)) return []
  const message =
    `The CPU has AVX2, but the best CPU module that runs is ${cpuModule}, which is many times slower. ` +
    "Modules are missing or do not load: run 'npm run build' again."
  return [fault(message)]
}

function gpuFindings({ acceleratorModules, devices }: EngineFacts, { hasNvidia }: MachineFacts): Judged {
  if (devices.some(({ type }) => type === 'gpu' || type === 'igpu')) return []
  if (acceleratorModules.length === 0) {
    if (!hasNvidia) return []
    return [advice('There is an NVIDIA GPU, but this build has no module for it; docs/gpu.md says how to build one.')]
  }
  const message =
    `No GPU is found by ${acceleratorModules.join(', ')}, so the CPU computes. If there is one, check its driver ` +
    "('nvidia-smi'), what the module needs ('ldd' shows what is missing), and CUDA_VISIBLE_DEVICES."
  return [hasNvidia ? fault(message) : advice(message)]
}

function storeFindings({ directory, freeBytes, isWritable }: Installation['store']): Judged {
  const findings: Finding[] = []
  if (!isWritable) findings.push(advice(`The folder ${directory} can't be written, so no model can be added.`))
  if (freeBytes !== undefined && freeBytes < leastFreeBytes) {
    findings.push(advice("The disk of the models is nearly full; 'llamero prune' removes what no model needs."))
  }
  return findings
}
