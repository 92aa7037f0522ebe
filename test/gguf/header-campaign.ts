/**
 * Reads seeded mutants of headers from memory, by the million, and judges what can be read:
 *
 *     npx tsx test/gguf/header-campaign.ts [count] [seed]
 *
 * Prints one JSON object: how many were accepted and refused with which code. An error of another class, or a mutant that
 * takes more than a second, is a failure (exit code 1).
 */
import { pathToFileURL } from 'node:url'
import { LlameroError } from '../../lib/errors.js'
import type { ByteSource } from '../../lib/gguf/byte-source.js'
import { readHeader } from '../../lib/gguf/gguf-file.js'
import { checkImatrix, modelCapabilities, summarizeModel, validateModel } from '../../lib/gguf/index.js'
import { array, bool, f32, i32, text, u16, u32, u64, writeGguf } from '../support/gguf-writer.js'
import { randomArchitectures, randomModel } from '../support/random-model.js'
import { mutate } from './mutants.js'

/** What became of the mutants. */
export interface Tally {
  readonly counts: Record<string, number>
  readonly failures: { readonly seed: number; readonly what: string }[]
}

const mostMs = 1000

/** A small file with a value of every type, of every type in arrays, and the keys of a split model. */
const everyType = writeGguf({
  metadata: {
    'general.architecture': text('llama'),
    'general.type': text('imatrix'),
    'split.no': u16(0),
    'split.count': u16(2),
    'split.tensors.count': i32(2),
    u8: { type: 'uint8', value: 1 },
    i8: { type: 'int8', value: -1 },
    i16: { type: 'int16', value: -1 },
    u32: u32(1),
    f32: f32(0.5),
    f64: { type: 'float64', value: 0.5 },
    u64: u64(1n),
    i64: { type: 'int64', value: -1n },
    yes: bool(true),
    words: array('string', ['a', 'bc', '']),
    flags: array('bool', [true, false]),
    small: array('int8', [1, -2]),
    wide: array('float64', [1, 2]),
    long: array('uint64', [1n, 2n]),
  },
  tensors: [
    { name: 'one.in_sum2', dimensions: [32, 2], type: 8, data: new Uint8Array(68) },
    { name: 'one.counts', dimensions: [2, 1, 1, 1], data: new Float32Array(2) },
  ],
})

const bases = [everyType, ...randomArchitectures.map((architecture) => randomModel(architecture, { layers: 1 }))]

function inMemory(bytes: Uint8Array): ByteSource {
  return {
    sizeBytes: bytes.length,
    read: (target, offset, length, position) => {
      const piece = bytes.subarray(position, position + length)
      target.set(piece, offset)
      return Promise.resolve(piece.length)
    },
    close: () => Promise.resolve(),
  }
}

async function judge(bytes: Uint8Array): Promise<string> {
  try {
    const file = await readHeader(inMemory(bytes))
    summarizeModel(file)
    modelCapabilities(file)
    try {
      validateModel(file)
    } catch (error) {
      if (!(error instanceof LlameroError)) throw error
      checkImatrix(file)
    }
    return 'accepted'
  } catch (error) {
    return error instanceof LlameroError ? error.code : `foreign: ${String(error)}`
  }
}

/** Reads the mutants of `count` seeds from `first` on. */
export async function readMutants(count: number, first: number): Promise<Tally> {
  const counts: Record<string, number> = {}
  const failures: { seed: number; what: string }[] = []
  for (let seed = first; seed < first + count; seed++) {
    const mutant = mutate(bases[seed % bases.length] ?? everyType, seed)
    const begin = process.cpuUsage()
    const result = await judge(mutant)
    const { user } = process.cpuUsage(begin)
    counts[result] = (counts[result] ?? 0) + 1
    if (result.startsWith('foreign') || result === 'ERR_INTERNAL') failures.push({ seed, what: result })
    else if (user / 1000 > mostMs) failures.push({ seed, what: `took ${Math.round(user / 1000)} ms` })
  }
  return { counts, failures }
}

async function main(): Promise<void> {
  const [count = 1_000_000, first = 1] = process.argv.slice(2).map(Number)
  const begin = performance.now()
  const { counts, failures } = await readMutants(count, first)
  const seconds = Math.round((performance.now() - begin) / 100) / 10
  console.log(JSON.stringify({ count, first, seconds, counts, failures: failures.slice(0, 100) }, undefined, 2))
  if (failures.length > 0) process.exitCode = 1
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
