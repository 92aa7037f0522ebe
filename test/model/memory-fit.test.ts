import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LlameroError } from '../../lib/errors.js'
import { fitMemory, type MemoryFit } from '../../lib/model/memory-fit.js'
import { openModel } from '../../lib/model/index.js'
import { createFakeAddon } from '../support/fake-addon.js'
import { openFake } from '../support/fake-model.js'

const gibibyte = 2 ** 30
const kibibyte = 2 ** 10
const inMain = (mainBytes: number) => ({ mainBytes, gpuBytes: 0 })

/** A model of 1 GiB with 64 KiB a token. */
const need = {
  weightsBytes: gibibyte,
  cellBytes: 64 * kibibyte,
  sequenceBytes: 0,
  bufferBytes: 0,
  bufferCellBytes: 0,
  gpuShare: 0,
}
const usual: MemoryFit = {
  contextSize: undefined,
  defaultContextSize: 8192,
  parallel: 16,
  slots: 32,
  need,
  free: inMain(64 * gibibyte),
}

const gpuReserve = 128 * 2 ** 20

/** Gibibytes that are free, those of the GPU without what the driver needs. */
function onGpu(gpuShare: number, mainGibibytes: number, gpuGibibytes: number): Partial<MemoryFit> {
  const gpuBytes = gpuGibibytes === 0 ? 0 : gpuGibibytes * gibibyte + gpuReserve
  const free = { mainBytes: mainGibibytes * gibibyte, gpuBytes }
  return { need: { ...need, gpuShare }, free }
}

function refusal(run: () => unknown): LlameroError {
  try {
    run()
  } catch (error) {
    if (error instanceof LlameroError) return error
    throw error
  }
  throw new Error('it fits')
}

describe('the KV cache', () => {
  const cases: readonly [rule: string, Partial<MemoryFit>, contextSize: number, cells: number][] = [
    ['takes as much as the weights', {}, 8192, 16_384],
    ['takes 512 MiB where the weights are less', { need: { ...need, weightsBytes: 1000 }, parallel: 2 }, 8192, 16_384],
    ['has room for all requests where these are short', { contextSize: 500, parallel: 4 }, 500, 2048],
    ['has room for two whole requests if these are more', { contextSize: 16_384 }, 16_384, 32_768],
    ['has 32,768 cells where tokens take next to nothing', { need: { ...need, cellBytes: 16 } }, 8192, 32_768],
    ['takes a quarter of what the weights leave', { free: inMain(4 * gibibyte) }, 8192, 12_288],
    ['has room for one whole request in any case', { free: inMain(2 * gibibyte) }, 8192, 8192],
    ['is sized without regard to memory that nobody knows', { free: inMain(0) }, 8192, 16_384],
    ['goes by the memory of the GPU that holds all layers', onGpu(1, 1, 4), 8192, 12_288],
    ['goes by what a GPU with half of the layers has', onGpu(0.5, 64, 2), 8192, 12_288],
    ['goes by what the other half finds in main memory', onGpu(0.5, 2, 64), 8192, 12_288],
    ['goes by main memory where no layer lies on the GPU', onGpu(0, 4, 64), 8192, 12_288],
    ['goes by main memory where the GPU shares it', onGpu(1, 4, 0), 8192, 12_288],
    ['has whole steps of 256 cells', { contextSize: 100, parallel: 1 }, 100, 256],
    ['does without what many sequences take', { need: { ...need, sequenceBytes: 2 ** 26 } }, 8192, 16_384],
  ]
  it.each(cases)('%s', (_rule, given, contextSize, cells) => {
    expect(fitMemory({ ...usual, ...given })).toEqual({ contextSize, cells })
  })

  it('gives requests less by default when memory is short, with a tenth of it left', () => {
    const freeBytes = 1.5 * gibibyte
    const { contextSize, cells } = fitMemory({ ...usual, free: inMain(freeBytes) })
    expect(contextSize).toBe(5632)
    expect(cells).toBe(5632)
    expect(need.weightsBytes + cells * need.cellBytes).toBeLessThanOrEqual(0.9 * freeBytes)
  })

  it("refuses the caller's number when it does not fit, and names the largest that does", () => {
    const given = { ...usual, contextSize: 20_000, free: inMain(2 * gibibyte) }
    const { code, message, details } = refusal(() => fitMemory(given))
    expect(code).toBe('ERR_OUT_OF_MEMORY')
    expect(message).toBe(
      'The model needs 2288 MiB with a contextSize of 20000, but 2048 MiB are free; ' +
        'lower contextSize to 16384 or less, or choose a smaller type for the cache.',
    )
    expect(details).toMatchObject({ contextSize: 20_000, freeBytes: 2 * gibibyte, largestContextSize: 16_384 })
    expect(fitMemory({ ...given, contextSize: 16_384 }).contextSize).toBe(16_384)
  })

  it('names the way out of a GPU that is too small', () => {
    expect(refusal(() => fitMemory({ ...usual, ...onGpu(1, 64, 1) })).message).toContain('(gpuLayers)')
    expect(refusal(() => fitMemory({ ...usual, ...onGpu(0, 1, 64) })).message).not.toContain('gpuLayers')
  })

  it('does not send a caller to a smaller context when not even the weights fit', () => {
    const { message, details } = refusal(() => fitMemory({ ...usual, free: inMain(gibibyte) }))
    expect(message).toContain('choose a smaller model')
    expect(details).toMatchObject({ largestContextSize: 0 })
  })

  it('never takes what is not there, and what an error advises is taken', () => {
    const bytes = (most: number) => fc.integer({ min: 0, max: most })
    const world = fc.record({
      contextSize: fc.option(fc.integer({ min: 16, max: 2 ** 20 }), { nil: undefined }),
      defaultContextSize: fc.integer({ min: 16, max: 8192 }),
      parallel: fc.integer({ min: 1, max: 256 }),
      slots: fc.integer({ min: 1, max: 256 }),
      free: fc.record({ mainBytes: fc.integer({ min: 1, max: 2 ** 38 }), gpuBytes: bytes(2 ** 38) }),
      need: fc.record({
        weightsBytes: bytes(2 ** 34),
        cellBytes: bytes(2 ** 20),
        sequenceBytes: bytes(2 ** 22),
        bufferBytes: bytes(2 ** 30),
        bufferCellBytes: bytes(2 ** 12),
        gpuShare: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0.01, max: 1, noNaN: true })),
      }),
    })
    fc.assert(
      fc.property(world, (given) => {
        const fixed = given.need.weightsBytes + given.need.bufferBytes + given.slots * given.need.sequenceBytes
        const perCell = given.need.cellBytes + given.need.bufferCellBytes
        try {
          const { contextSize, cells } = fitMemory(given)
          const taken = fixed + cells * perCell
          const onGpus = given.free.gpuBytes > 0 ? given.need.gpuShare * taken : 0
          expect(onGpus).toBeLessThanOrEqual(Math.max(1, given.free.gpuBytes - gpuReserve) + 1)
          expect(taken - onGpus).toBeLessThanOrEqual(given.free.mainBytes + 1)
          expect(cells).toBeGreaterThanOrEqual(contextSize)
          expect(contextSize).toBeLessThanOrEqual(given.contextSize ?? given.defaultContextSize)
        } catch (error) {
          if (!(error instanceof LlameroError)) throw error
          const largest = error.details['largestContextSize'] as number
          if (largest > 0) expect(fitMemory({ ...given, contextSize: largest }).contextSize).toBe(largest)
        }
      }),
    )
  })
})

describe('opening a model', () => {
  it('follows memory', async () => {
    const { model } = await openFake({ freeBytes: 5120 }, { parallel: 1 })
    expect(model.info).toMatchObject({ contextSize: 4608, cacheCells: 4608 })
  })

  it('that does not fit leaves nothing open', async () => {
    const addon = createFakeAddon({ freeBytes: 5000 })
    await expect(openModel({ path: 'fake.gguf' }, { contextSize: 8192 }, addon)).rejects.toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      details: { largestContextSize: 4864 },
    })
    expect(addon.calls).toEqual(['modelLoad', 'modelClose'])
  })
})
