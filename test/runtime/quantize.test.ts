import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { LlameroError, load, quantizationTypes, quantize, type QuantizeOptions } from '../../lib/index.js'
import { readGguf } from '../../lib/gguf/index.js'
import { startProgram } from '../support/child-program.js'
import { array, text, u32, writeGguf, type WriterTensor } from '../support/gguf-writer.js'
import { hasPeer, runPeer } from '../support/peer-tool.js'
import { randomModel } from '../support/random-model.js'
import { smollm2Path } from '../support/real-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const probeDirectory = join(directory.path, 'probes')
const size = { width: 256, heads: 4, feedForward: 512 }
const peers = hasPeer('llama-quantize') && hasPeer('llama-gguf-split')

/** A folder of its own with a tiny model whose rows fit every type; quantising it takes milliseconds. */
function tinyModel(options: Parameters<typeof randomModel>[1] = {}): { folder: string; source: string } {
  const folder = mkdtempSync(join(directory.path, 'tiny-'))
  const source = join(folder, 'tiny.gguf')
  writeFileSync(source, randomModel('bert', { size, layers: 2, ...options }))
  return { folder, source }
}

/** An importance matrix for {@link tinyModel}, as llama-imatrix lays it out. */
function imatrixFile(folder: string, change: Partial<Record<string, number>> = {}): string {
  const matrices = ['attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_up', 'ffn_down']
  const names = [0, 1].flatMap((layer) => matrices.map((name) => `blk.${layer}.${name}.weight`))
  const tensors = [...names, 'token_embd.weight'].flatMap((name): WriterTensor[] => {
    const columns = change['columns'] ?? (name.includes('ffn_down') ? size.feedForward : size.width)
    const sums = Float32Array.from({ length: columns }, (_, index) => change['value'] ?? 1 + (index % 17))
    return [
      { name: `${name}.in_sum2`, dimensions: [columns], data: sums },
      { name: `${name}.counts`, dimensions: [1], data: Float32Array.of(64) },
    ]
  })
  const metadata = {
    'general.type': text('imatrix'),
    'imatrix.datasets': array('string', ['words.txt']),
    'imatrix.chunk_count': u32(4),
    'imatrix.chunk_size': u32(512),
  }
  const path = join(folder, 'tiny.imatrix.gguf')
  writeFileSync(path, writeGguf({ metadata, tensors }))
  return path
}

const program = new URL('./quantize-child.ts', import.meta.url)

const tiny = (options: Partial<QuantizeOptions> & { readonly type: string }) => ({ ...options, probe: false })

async function failure(promise: Promise<unknown>): Promise<LlameroError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(LlameroError)
  return error as LlameroError
}

describe.skipIf(!peers)('the file is the one that llama-quantize makes (skipped until `npm run build:peers`)', () => {
  const { folder, source } = tinyModel()

  it.each(quantizationTypes)(
    '%s, with an importance matrix',
    async (type) => {
      const imatrix = imatrixFile(folder)
      const target = join(folder, `${type}.gguf`)
      await quantize(source, target, tiny({ type: type.toLowerCase(), imatrix }))
      runPeer('llama-quantize', ['--imatrix', 'tiny.imatrix.gguf', 'tiny.gguf', 'theirs.gguf', type], folder)
      expect(readFileSync(target).equals(readFileSync(join(folder, 'theirs.gguf')))).toBe(true)
    },
    300_000,
  )

  it('a split model, whose parts it joins', async () => {
    runPeer('llama-gguf-split', ['--split-max-tensors', '12', 'tiny.gguf', 'parts'], folder)
    const parts = readdirSync(folder).filter((name) => name.startsWith('parts-'))
    expect(parts.length).toBeGreaterThan(2)
    for (const type of ['q8_0', 'copy']) {
      await quantize(join(folder, parts[0] ?? ''), join(folder, 'joined.gguf'), tiny({ type }))
      runPeer('llama-quantize', [parts[0] ?? '', 'theirs.gguf', type], folder)
      expect(readFileSync(join(folder, 'joined.gguf')).equals(readFileSync(join(folder, 'theirs.gguf')))).toBe(true)
    }
  })

  describe('SmolLM2 135M', () => {
    let original = ''
    beforeAll(async () => {
      original = join(folder, 'smollm2-f16.gguf')
      await quantize(await smollm2Path(), original, { type: 'f16', allowRequantize: true, probeDirectory })
    })

    it.each(['q8_0', 'q4_0', 'q4_K_M'])(
      '%s',
      async (type) => {
        const target = join(folder, 'smollm2.gguf')
        const made = await quantize(original, target, { type, probeDirectory })
        runPeer('llama-quantize', ['smollm2-f16.gguf', 'theirs.gguf', type], folder)
        expect(readFileSync(target).equals(readFileSync(join(folder, 'theirs.gguf')))).toBe(true)
        expect(made).toMatchObject({ quantization: type.toUpperCase(), path: target })
        expect(made.sizeBytes).toBeLessThan(made.sourceBytes)
        const model = await load(target, { probe: false, contextSize: 512 })
        const { text: answer } = await model.generate('1, 2, 3, 4, 5, 6,', { temperature: 0, maxTokens: 4 })
        await model.close()
        expect(answer).toMatch(/^ ?7/)
      },
      300_000,
    )
  })
})

describe('quantising', () => {
  it('tells how far it is, leaves the event loop free and replaces the target', async () => {
    const { folder, source } = tinyModel({ layers: 24 })
    const target = join(folder, 'made.gguf')
    writeFileSync(target, 'old')
    const fractions: number[] = []
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    await quantize(source, target, tiny({ type: 'IQ4_NL', threads: 1, onProgress: (done) => fractions.push(done) }))
    clearInterval(timer)
    expect(fractions.at(-1)).toBe(1)
    expect(fractions.length).toBeGreaterThan(3)
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
    expect(turns).toBeGreaterThan(10)
    expect((await readGguf(target)).tensors.map(({ type }) => type)).toContain('IQ4_NL')
    expect(readdirSync(folder).sort()).toEqual(['made.gguf', 'tiny.gguf'])
  })

  it('ends with the reason of its signal, and leaves what was there', async () => {
    const { folder, source } = tinyModel({ layers: 24 })
    const target = join(folder, 'made.gguf')
    writeFileSync(target, 'old')
    const control = new AbortController()
    const reason = new Error('enough')
    const seen: number[] = []
    const onProgress = (fraction: number) => {
      seen.push(fraction)
      control.abort(reason)
    }
    const options = tiny({ type: 'IQ4_NL', threads: 1, signal: control.signal, onProgress })
    await expect(quantize(source, target, options)).rejects.toBe(reason)
    await expect(quantize(source, target, options)).rejects.toBe(reason)
    expect(seen).toHaveLength(1)
    expect(seen[0]).toBeLessThan(0.9)
    expect(readFileSync(target, 'utf8')).toBe('old')
    expect(readdirSync(folder)).toHaveLength(2)
  })

  it('ends with what the progress function throws', async () => {
    const { folder, source } = tinyModel({ layers: 8 })
    const onProgress = () => {
      throw new RangeError('mine')
    }
    const making = quantize(source, join(folder, 'made.gguf'), tiny({ type: 'IQ4_NL', onProgress }))
    await expect(making).rejects.toThrow(RangeError)
    expect(readdirSync(folder)).toEqual(['tiny.gguf'])
  })

  it('leaves nothing where the disk is full', async () => {
    const { folder, source } = tinyModel({ layers: 4 })
    const limit = ['bash', '-c', 'ulimit -f 400; exec "$@"', '-']
    const child = startProgram(program, [source, join(folder, 'made.gguf')], limit)
    expect(await child.result).toMatchObject({ code: 0, stdout: 'ERR_DISK_FULL' })
    expect(readdirSync(folder)).toEqual(['tiny.gguf'])
  })
})

describe('a process that ends while it quantizes', () => {
  it('leaves nothing', async () => {
    const { folder, source } = tinyModel({ layers: 24 })
    const child = startProgram(program, [source, join(folder, 'made.gguf'), 'exits'])
    expect(await child.result).toMatchObject({ code: 7, stderr: '' })
    expect(readdirSync(folder)).toEqual(['tiny.gguf'])
  })
})

describe('is refused, and nothing is written:', () => {
  it.each<[string, Partial<QuantizeOptions>, string, RegExp]>([
    ['a type that does not exist', { type: 'q9_9' }, 'ERR_OPTION_INVALID', /one of F32, F16, .*Q4_K_M.* got "q9_9"/],
    ['a type that llama.cpp does not make', { type: 'nvfp4' }, 'ERR_OPTION_INVALID', /one of/],
    ['no type', {}, 'ERR_OPTION_INVALID', /one of/],
    ['no threads', { type: 'q8_0', threads: 0 }, 'ERR_OPTION_INVALID', /1 to 512/],
    ['a small type without a matrix', { type: 'iq2_xxs' }, 'ERR_OPTION_INVALID', /importance matrix .*'blk\.\d/],
    ['a matrix that is not there', { type: 'q4_0', imatrix: 'no.gguf' }, 'ERR_MODEL_NOT_FOUND', /importance matrix/],
  ])('%s', async (_, options, code, message) => {
    const { folder, source } = tinyModel()
    const error = await failure(quantize(source, join(folder, 'made.gguf'), tiny(options as { type: string })))
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string })
    expect(readdirSync(folder)).toEqual(['tiny.gguf'])
  })

  it.each<[string, Uint8Array | Record<string, number>, string, RegExp]>([
    ['of the older format', Buffer.from([12, 0, 0, 0, 3, 0, 0, 0, 97]), 'ERR_MODEL_INVALID', /older format/],
    ['that is a model', randomModel('llama'), 'ERR_MODEL_INVALID', /no importance matrix/],
    ['with negative values', { value: -1 }, 'ERR_MODEL_INVALID', /no mean of squares/],
    ['with values that are no numbers', { value: NaN }, 'ERR_MODEL_INVALID', /no mean of squares/],
    ['of another model', { columns: 32 }, 'ERR_MODEL_REJECTED', /imatrix size/],
  ])('a matrix %s', async (_, made, code, message) => {
    const { folder, source } = tinyModel()
    const imatrix = imatrixFile(folder, made instanceof Uint8Array ? {} : made)
    if (made instanceof Uint8Array) writeFileSync(imatrix, made)
    const error = await failure(quantize(source, join(folder, 'made.gguf'), tiny({ type: 'q4_0', imatrix })))
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string })
    expect(readdirSync(folder)).toHaveLength(2)
  })

  it('a model that is quantized already, unless that is asked for', async () => {
    const { folder, source } = tinyModel()
    const [first, second] = [join(folder, 'first.gguf'), join(folder, 'second.gguf')]
    await quantize(source, first, tiny({ type: 'q8_0' }))
    const error = await failure(quantize(first, second, tiny({ type: 'q4_0' })))
    expect(error).toMatchObject({
      code: 'ERR_OPTION_INVALID',
      message: expect.stringMatching(/allowRequantize/) as string,
    })
    await quantize(first, second, tiny({ type: 'q4_0', allowRequantize: true }))
    expect(readdirSync(folder)).toHaveLength(3)
  })

  it('a target that is the source, a folder, or in none', async () => {
    const { folder, source } = tinyModel()
    const bytes = readFileSync(source)
    expect(await failure(quantize(source, source, tiny({ type: 'q8_0' })))).toMatchObject({
      code: 'ERR_OPTION_INVALID',
    })
    expect(await failure(quantize(source, folder, tiny({ type: 'q8_0' })))).toMatchObject({
      code: 'ERR_OPTION_INVALID',
    })
    const nowhere = join(folder, 'none', 'made.gguf')
    expect(await failure(quantize(source, nowhere, tiny({ type: 'q8_0' })))).toMatchObject({ code: 'ERR_STORE' })
    expect(readFileSync(source).equals(bytes)).toBe(true)
  })

  it('a source that is damaged', async () => {
    const { folder, source } = tinyModel()
    writeFileSync(source, readFileSync(source).subarray(0, 100_000))
    const error = await failure(quantize(source, join(folder, 'made.gguf'), tiny({ type: 'q8_0' })))
    expect(error.code).toBe('ERR_MODEL_INVALID')
    expect(readdirSync(folder)).toEqual(['tiny.gguf'])
  })
})
