import type { Diagnosis } from '../runtime/index.js'
import { byteSize } from './byte-size.js'
import { columns } from './table.js'

type Rows = readonly (readonly string[])[]

/** What `doctor` prints: sections like those of `show`, then a line for each finding. */
export function diagnosisText(diagnosis: Diagnosis): string {
  const sections: Readonly<Record<string, Rows>> = {
    Versions: versionRows(diagnosis),
    Processor: processorRows(diagnosis),
    Devices: deviceRows(diagnosis),
    Models: storeRows(diagnosis),
    Variables: Object.entries(diagnosis.variables),
  }
  const text = Object.entries(sections)
    .filter(([, rows]) => rows.length > 0)
    .map(([title, rows]) => `  ${title}\n${columns(rows, '    ')}\n`)
    .join('')
  const findings = diagnosis.findings.map(
    ({ kind, message }) => `${kind === 'fault' ? 'failed' : 'advice'}: ${message}\n`,
  )
  return text + (findings.length === 0 ? 'everything that was checked is in order\n' : findings.join(''))
}

function versionRows({ versions, engine, machine }: Diagnosis): Rows {
  return [
    ['llamero', versions.llamero],
    ['llama.cpp', typeof engine === 'string' ? 'not loaded' : engine.llamaTag],
    ['node', versions.node],
    ['system', `${machine.platform} ${machine.release}, ${machine.architecture}`],
  ]
}

function processorRows({ machine, engine }: Diagnosis): Rows {
  const rows = [
    ['cpu', machine.cpu],
    ['threads', String(machine.threads)],
    ['memory', memory(machine.memoryBytes, typeof engine === 'string' ? undefined : engine.freeBytes)],
  ]
  if (typeof engine === 'string') return rows
  const others = engine.cpuModules.filter(({ name, score }) => name !== engine.cpuModule && score > 0)
  const used = engine.cpuModules.find(({ name }) => name === engine.cpuModule)
  return [
    ...rows,
    ['cpu module', engine.cpuModule],
    ['others that run', others.map(({ name }) => name).join(' ')],
    [
      'kernels',
      used === undefined || used.kernels.length === 0 ? "llama.cpp's" : `${used.kernels.join(', ')} by llamero`,
    ],
  ]
}

function deviceRows({ engine }: Diagnosis): Rows {
  if (typeof engine === 'string') return []
  return engine.devices.map(({ name, description, type, totalBytes, freeBytes }) => [
    name,
    type,
    description,
    memory(totalBytes, freeBytes),
  ])
}

function storeRows({ store }: Diagnosis): Rows {
  return [
    ['folder', store.directory],
    ['models', String(store.models)],
    ['size', `${byteSize(store.sizeBytes)} in ${store.files} ${store.files === 1 ? 'file' : 'files'}`],
    ['free', store.freeBytes === undefined ? 'unknown' : byteSize(store.freeBytes)],
  ]
}

function memory(totalBytes: number, freeBytes: number | undefined): string {
  return freeBytes === undefined ? byteSize(totalBytes) : `${byteSize(totalBytes)}, ${byteSize(freeBytes)} free`
}
