import { mkdtempSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { create } from '../../lib/create/index.js'
import { load, LlameroError, type LoadOptions, type Model } from '../../lib/index.js'
import { Store } from '../../lib/store/index.js'
import { mutate } from '../gguf/mutants.js'
import { bool, f32, text, u32, type WriterValue } from '../support/gguf-writer.js'
import { audioPart, imagePart, textPart } from '../support/media-models.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { tinyProjector, type TinyProjectorOptions } from '../support/tiny-projector.js'

const directory = temporaryDirectory()
const probeDirectory = join(directory.path, 'probes')
const greedy = { maxTokens: 4, temperature: 0, ignoreEos: true } as const
const model = directory.write('model.gguf', randomModel('llama'))
let files = 0

async function withModel(
  projector: Uint8Array | string,
  use: (model: Model) => Promise<void>,
  options: LoadOptions = {},
) {
  const path = typeof projector === 'string' ? projector : await directory.write(`${files++}.gguf`, projector)
  const settings = { probeDirectory, contextSize: 512, parallel: 1, threads: 1, projector: path, ...options }
  const opened = await load(await model, settings)
  try {
    await use(opened)
  } finally {
    await opened.close()
  }
}

async function outcome(projector: Uint8Array | string, options: LoadOptions = {}): Promise<string> {
  try {
    await withModel(
      projector,
      async (opened) => {
        const part = opened.info.takesImages ? imagePart({ width: 50, height: 70, seed: 1 }) : audioPart()
        await opened.generate([textPart('What? '), part], greedy)
      },
      options,
    )
    return 'answered'
  } catch (error) {
    return error instanceof LlameroError ? `${error.code} ${error.message}` : `foreign: ${String(error)}`
  }
}

describe('a projector', () => {
  it('is loaded beside a model and reads images, or audio', async () => {
    await withModel(tinyProjector('janus_pro'), async (opened) => {
      expect(opened.info).toMatchObject({ takesImages: true, takesAudio: false })
      expect((await opened.generate([imagePart(), textPart('?')], greedy)).usage.outputTokens).toBe(4)
    })
    await withModel(tinyProjector('ultravox'), async (opened) => {
      expect(opened.info).toMatchObject({ takesImages: false, takesAudio: true })
      expect((await opened.generate([audioPart(), textPart('?')], greedy)).usage.outputTokens).toBe(4)
    })
  })

  it('comes along with a stored model', async () => {
    const folder = mkdtempSync(join(directory.path, 'store-'))
    const projector = await directory.write('stored-projector.gguf', tinyProjector('gemma3'))
    const store = new Store({ directory: join(folder, 'models') })
    const modelfile = `FROM ./${basename(await model)}\nFROM ./${basename(projector)}\n`
    await create(store, 'sees', modelfile, { directory: directory.path })
    const opened = await load('sees', {
      modelsDirectory: store.directory,
      probeDirectory,
      contextSize: 256,
      parallel: 1,
    })
    expect(opened.info.takesImages).toBe(true)
    expect((await opened.generate([imagePart()], greedy)).usage.outputTokens).toBe(4)
    await opened.close()
  })

  it('that is another file is another prefix: what one made is not taken for what another makes', async () => {
    const cache = { cacheDirectory: join(directory.path, 'shared-cache') }
    const covered: boolean[] = []
    for (const seed of [1, 1, 2]) {
      const ask = async (opened: Model): Promise<void> => {
        const beginning = 'x'.repeat(80)
        const { usage } = await opened.generate([textPart(beginning), imagePart(), textPart('?')], greedy)
        covered.push(usage.cachedTokens > beginning.length + 8)
      }
      await withModel(tinyProjector('janus_pro', { seed }), ask, cache)
    }
    expect(covered).toEqual([false, true, false])
  })
})

describe('hostile projectors are refused, and the process lives', () => {
  const vision = (name: string, value: WriterValue | undefined): TinyProjectorOptions => ({
    metadata: { [`clip.vision.${name}`]: value },
  })
  const cases: readonly [what: string, options: TinyProjectorOptions, message: RegExp][] = [
    ['a patch of 0', vision('patch_size', u32(0)), /'clip.vision.patch_size' is 0/],
    ['a patch larger than the image', vision('patch_size', u32(33)), /'clip.vision.patch_size' is 33/],
    ['an image of 0', vision('image_size', u32(0)), /'clip.vision.image_size' is 0/],
    ['an image of 2^31', vision('image_size', u32(2 ** 31)), /'clip.vision.image_size' is 2147483648/],
    [
      'pieces without number',
      { metadata: { 'clip.vision.image_size': u32(8192), 'clip.vision.patch_size': u32(1) } },
      /67108864 pieces/,
    ],
    ['a merge of 0', vision('projector.scale_factor', u32(0)), /'clip.vision.projector.scale_factor' is 0/],
    ['no width', vision('embedding_length', u32(0)), /'clip.vision.embedding_length' is 0/],
    ['no heads', vision('attention.head_count', u32(0)), /'clip.vision.attention.head_count' is 0/],
    ['2^31 layers', vision('block_count', u32(2 ** 31)), /'clip.vision.block_count' is/],
    ['a key that is missing', vision('feed_forward_length', undefined), /'clip.vision.feed_forward_length' is missing/],
    ['a size that is text', vision('image_size', text('32')), /a uint32 was expected/],
    ['no colours', vision('image_mean', undefined), /normalize colours/],
    ['an epsilon that is a number', vision('attention.layer_norm_epsilon', f32(NaN)), /./],
    ['an unknown kind', { metadata: { 'clip.projector_type': text('mystery') } }, /ERR_UNSUPPORTED .*'mystery'/],
    [
      'a kind for places',
      { metadata: { 'clip.projector_type': text('hunyuanvl') } },
      /ERR_UNSUPPORTED .*where it stands/,
    ],
    [
      'neither eyes nor ears',
      { metadata: { 'clip.has_vision_encoder': bool(false) } },
      /neither for images nor for audio/,
    ],
    ['a voice', { metadata: { 'clip.has_gen_audio_encoder': bool(true) } }, /ERR_UNSUPPORTED .*speech/],
    ['another architecture', { metadata: { 'general.architecture': text('llama') } }, /'clip' was expected/],
    ['missing tensors', { keeps: (name) => !name.startsWith('mm.') }, /./],
    ['a missing block', { keeps: (name) => !name.startsWith('v.blk.1') }, /./],
    ['missing norms', { keeps: (name) => !name.includes('ln') }, /./],
    ['no tensors', { keeps: () => false }, /no tensors/],
    ['another width than the model', { textWidth: 32 }, /./],
  ]
  it.each(cases)('G7: %s', async (_, options, message) => {
    const found = await outcome(tinyProjector('janus_pro', options))
    if (found !== 'answered')
      expect(found).toMatch(/^ERR_(MODEL_INVALID|MODEL_REJECTED|UNSUPPORTED|ENGINE_CRASHED|MEDIA_INVALID) /)
    else expect(message).toEqual(/./)
    expect(found).toMatch(message)
  })

  it('a model is no projector, nor is a picture', async () => {
    expect(await outcome(await model)).toMatch(/^ERR_MODEL_INVALID .*'clip' was expected/)
    expect(await outcome(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))).toMatch(/^ERR_MODEL_INVALID/)
    expect(await outcome(join(directory.path, 'absent.gguf'))).toMatch(/^ERR_MODEL_NOT_FOUND/)
  })

  // npm run soak tries more.
  const count = process.env['LLAMERO_SOAK'] === undefined ? 60 : 256
  it(`G7: ${count} damaged ones`, { timeout: 900_000 }, async () => {
    const bases = [tinyProjector('janus_pro'), tinyProjector('gemma3'), tinyProjector('ultravox')]
    const outcomes: Record<string, number> = {}
    const foreign: string[] = []
    for (let seed = 0; seed < count; seed++) {
      const found = await outcome(mutate(bases[seed % bases.length] ?? new Uint8Array(), seed))
      const kind = found.split(' ')[0] ?? ''
      outcomes[kind] = (outcomes[kind] ?? 0) + 1
      if (!/^(answered|ERR_(MODEL_INVALID|MODEL_REJECTED|UNSUPPORTED|ENGINE_CRASHED|MEDIA_INVALID))$/.test(kind))
        foreign.push(`${seed}: ${found}`)
    }
    expect(foreign).toEqual([])
    expect(outcomes['answered']).toBeGreaterThan(0)
    expect(outcomes['ERR_MODEL_INVALID']).toBeGreaterThan(0)
  })
})
