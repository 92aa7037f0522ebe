import { LlameroError } from '../errors.js'
import type { NativeFreeMemory, NativeMemoryNeed } from '../native-types.js'

/** What the size of the KV cache depends on. */
export interface MemoryFit {
  /** The caller's number, cut to the trained size; absent: as much as fits, at most `defaultContextSize`. */
  readonly contextSize: number | undefined
  /** Tokens that one request gets by default where memory allows it. */
  readonly defaultContextSize: number
  readonly parallel: number
  /** Sequences that the engine has places for, those that are kept included. */
  readonly slots: number
  readonly need: NativeMemoryNeed
  /** Before the weights were loaded. */
  readonly free: NativeFreeMemory
}

export interface CacheSize {
  /** Most tokens of one request. */
  readonly contextSize: number
  /** Cells of the KV cache, a multiple of 256. */
  readonly cells: number
}

const mebibyte = 2 ** 20
const cellStep = 256
/** A shorter context by default would be of no use. */
const leastContextSize = 512
/** Left free by what is chosen by default. */
const marginShare = 0.1
/** What a GPU's driver takes for kernels and workspaces as they are first used; where that fails the process ends. */
const gpuReserve = 128 * mebibyte
/** Of what the weights leave, for more than one request. */
const cacheShare = 0.25
/** llama.cpp writes the whole cache once when it is made: what is reserved is taken. */
const modestBytes = 512 * mebibyte
/** llama.cpp's operations on sequences walk all cells, used or not. */
const modestCells = 32_768
const fullRequests = 2

/**
 * How many tokens one request may have and how many all together. In this order:
 *
 * - The caller's `contextSize` holds: weights, buffers and one whole request must fit into free memory.
 * - By default one request gets `defaultContextSize`, or what fits with a tenth of free memory left, down to 512.
 * - The cache has room for every request that may run at once, but no more than 32,768 cells, and takes no more than the
 *   weights or 512 MiB, whichever is more; or it has room for two whole requests, if these are more.
 * - Nor does it take more than a quarter of the memory that the weights leave, one whole request aside.
 *
 * Throws `ERR_OUT_OF_MEMORY` with the largest `contextSize` that would fit.
 */
export function fitMemory({ contextSize, defaultContextSize, parallel, slots, need, free }: MemoryFit): CacheSize {
  const freeBytes = freeFor(need.gpuShare, free)
  const { weightsBytes, cellBytes, sequenceBytes, bufferBytes, bufferCellBytes } = need
  const wholeCell = Math.max(1, cellBytes + bufferCellBytes)
  const fixedBytes = weightsBytes + bufferBytes + slots * sequenceBytes
  const left = freeBytes > 0 ? freeBytes - fixedBytes : Infinity
  const cellsIn = (bytes: number): number => Math.floor(bytes / wholeCell / cellStep) * cellStep

  const most = cellsIn(left)
  const comfortable = cellsIn(left - marginShare * freeBytes)
  const size = contextSize ?? Math.min(defaultContextSize, Math.max(comfortable, leastContextSize))
  const one = wholeCells(size)
  if (one > most) throw outOfMemory(size, fixedBytes + one * wholeCell, most, freeBytes, need.gpuShare)

  const modest = Math.min(modestCells, cellsIn(Math.max(weightsBytes, modestBytes)))
  const all = wholeCells(size * parallel)
  const wanted = Math.max(Math.min(all, modest), wholeCells(size * Math.min(parallel, fullRequests)))
  return { contextSize: size, cells: Math.max(one, Math.min(wanted, cellsIn(cacheShare * left))) }
}

/** What can be taken in all when that share of it lies on GPUs, the rest in main memory; 0: not known. */
function freeFor(gpuShare: number, { mainBytes, gpuBytes }: NativeFreeMemory): number {
  if (gpuShare <= 0 || gpuBytes === 0) return mainBytes
  const byGpus = Math.max(1, Math.floor((gpuBytes - gpuReserve) / gpuShare))
  return gpuShare >= 1 ? byGpus : Math.min(byGpus, Math.floor(mainBytes / (1 - gpuShare)))
}

function wholeCells(tokens: number): number {
  return Math.ceil(tokens / cellStep) * cellStep
}

function outOfMemory(
  contextSize: number,
  neededBytes: number,
  mostCells: number,
  freeBytes: number,
  gpuShare: number,
): LlameroError {
  const largest = Math.max(0, mostCells)
  const [needed, free] = [neededBytes, freeBytes].map((bytes) => Math.ceil(bytes / mebibyte))
  const advice =
    largest >= cellStep
      ? `lower contextSize to ${largest} or less, or choose a smaller type for the cache`
      : 'choose a smaller model or a stronger quantization, or close other programs'
  const gpus = gpuShare > 0 ? ', or keep fewer layers on the GPU (gpuLayers)' : ''
  return new LlameroError(
    'ERR_OUT_OF_MEMORY',
    `The model needs ${needed} MiB with a contextSize of ${contextSize}, but ${free} MiB are free; ${advice}${gpus}.`,
    { details: { contextSize, neededBytes, freeBytes, largestContextSize: largest } },
  )
}
