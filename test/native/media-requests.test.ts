import { deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { LlameroError } from '../../lib/errors.js'
import { openModel, type GenerateOptions, type Model, type PromptPart } from '../../lib/model/index.js'
import { audioPart, imagePart, textPart, withPair, writePair, type MediaPair } from '../support/media-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { tinyJpeg, tinyPng, tinyWav } from '../support/tiny-media.js'

const directory = temporaryDirectory()
const pictures: MediaPair = ['llama', 'janus_pro']
const sounds: MediaPair = ['llama', 'ultravox']
const greedy: GenerateOptions = { maxTokens: 4, temperature: 0, ignoreEos: true }

const failure = async (task: () => PromiseLike<unknown>): Promise<string> => {
  try {
    await task()
  } catch (error) {
    return `${(error as LlameroError).code} ${(error as Error).message}`
  }
  return 'no failure'
}

const withPictures = (use: (model: Model) => Promise<void>): Promise<void> =>
  withPair(directory.path, pictures, {}, use)

describe('media that a model does not take', () => {
  it('are refused at once by a model without a projector', async () => {
    const { path } = await writePair(directory.path, pictures)
    const model = await openModel({ path }, { contextSize: 256, parallel: 1 })
    expect([model.info.takesImages, model.info.takesAudio]).toEqual([false, false])
    expect(() => model.generate([imagePart()])).toThrow(/takes no images: it was opened without a projector/)
    expect(() => model.generate([audioPart()])).toThrow(expect.objectContaining({ code: 'ERR_UNSUPPORTED' }))
    expect(model.metrics().media.encoded).toBe(0)
    await model.close()
  })

  it('are refused at once by a projector for the other kind', async () => {
    await withPictures(async (model) => {
      expect([model.info.takesImages, model.info.takesAudio]).toEqual([true, false])
      expect(() => model.generate([audioPart()])).toThrow(/takes no audio: its projector has no part for that/)
    })
  })

  it.each([
    ['a part without a type', {}, 'prompt[1].type'],
    ['another type', { type: 'video', video: 'x' }, 'prompt[1].type'],
    ['no text', { type: 'text' }, 'prompt[1].text'],
    ['no image', { type: 'image' }, 'prompt[1].image'],
    ['a number for an image', { type: 'image', image: 5 }, 'prompt[1].image'],
    ['nothing', null, 'prompt[1]'],
  ])('are told from wrong parts: %s', async (_, part, name) => {
    await withPictures(async (model) => {
      const prompt = [textPart('a'), part as PromptPart]
      expect(() => model.generate(prompt)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }))
      expect(() => model.generate(prompt)).toThrow(`"${name}" must be`)
    })
  })
})

describe('files that pass the look at their header', () => {
  const chunked = (idat: Buffer): Uint8Array => {
    const whole = Buffer.from(tinyPng({ width: 8, height: 8 }))
    const at = whole.indexOf('IDAT')
    const length = whole.readUInt32BE(at - 4)
    const head = Buffer.from(whole.subarray(0, at - 4))
    const size = Buffer.alloc(4)
    size.writeUInt32BE(idat.length)
    return Buffer.concat([head, size, Buffer.from('IDAT'), idat, Buffer.alloc(4), whole.subarray(at + 8 + length)])
  }

  it.each([
    ['a PNG whose data is noise', chunked(Buffer.from('no deflate at all'))],
    ['a PNG with too little data', chunked(deflateSync(Buffer.alloc(10)))],
    ['a JPEG of two colours', Uint8Array.from(tinyJpeg(), (byte, at) => (at === 80 ? 2 : byte))],
  ])('are errors if they are damaged behind it: %s', async (_, image) => {
    await withPictures(async (model) => {
      expect(await failure(() => model.generate([{ type: 'image', image }], greedy))).toMatch(
        /^ERR_MEDIA_INVALID The image is /,
      )
      expect((await model.generate([imagePart()], greedy)).usage.outputTokens).toBe(4)
    })
  })

  it.each([
    ['a JPEG', tinyJpeg()],
    ['one pixel', tinyPng({ width: 1, height: 1 })],
    ['a strip', tinyPng({ width: 2, height: 400 })],
    ['400 × 800', tinyPng({ width: 400, height: 800, seed: 1 })],
  ])('are taken in any shape: %s', async (_, image) => {
    await withPictures(async (model) => {
      expect((await model.generate([{ type: 'image', image }], greedy)).usage.outputTokens).toBe(4)
    })
  })

  it('are errors as sound', async () => {
    await withPair(directory.path, sounds, {}, async (model) => {
      const ask = (audio: Uint8Array) => failure(() => model.generate([{ type: 'audio', audio }], greedy))
      expect(await ask(Buffer.from('ID3\x04\0\0\0\0\0\0 and nothing behind it', 'latin1'))).toMatch(
        /^ERR_MEDIA_INVALID/,
      )
      expect(await ask(tinyWav({ seconds: 0 }))).toMatch(/^ERR_MEDIA_INVALID/)
      expect(await ask(tinyWav({ seconds: 1 / 16_000 }))).toBe('no failure')
      expect(await ask(tinyWav({ rate: 8000 }))).toBe('no failure')
      expect(await ask(tinyWav({ rate: 44_100, seconds: 0.1 }))).toBe('no failure')
    })
  })

  it('differ by shape where their bytes are alike', async () => {
    await withPictures(async (model) => {
      const tokens = async (width: number, height: number) =>
        (await model.generate([{ type: 'image', image: tinyPng({ width, height }) }], greedy)).text
      await tokens(30, 100)
      await tokens(100, 30)
      expect(model.metrics().media).toMatchObject({ encoded: 2, reused: 0 })
    })
  })
})

describe('text that looks like a mark of media', () => {
  const forged = '<__media__> <image> [img-0] [img] <start_of_image> <|image_pad|>'

  it.each([0, 1, 2])('stays text beside %i images', async (count) => {
    await withPictures(async (model) => {
      const images = Array.from({ length: count }, (_, index) => imagePart({ seed: index }))
      const bare = await model.generate([textPart('x'), ...images, textPart('x')], greedy)
      const given = await model.generate([textPart(`x${forged}`), ...images, textPart(`${forged}x`)], greedy)
      const letters = (await model.tokenize(`x${forged}`)).length - (await model.tokenize('x')).length
      expect(given.usage.inputTokens - bare.usage.inputTokens).toBe(2 * letters)
      expect(model.metrics().media.encoded).toBe(count)
    })
  })
})

describe('while media are encoded', () => {
  const large = (seed: number): PromptPart => audioPart(100 + seed)

  it('an abort is heeded at once, and others go on', async () => {
    await withPair(directory.path, sounds, {}, async (model) => {
      const controller = new AbortController()
      const reason = new Error('enough')
      const aborted = model.generate([large(1)], { ...greedy, signal: controller.signal })
      const other = model.generate([large(2)], greedy)
      setTimeout(() => controller.abort(reason), 20)
      await expect(aborted).rejects.toBe(reason)
      expect((await other).usage.outputTokens).toBe(4)
      expect((await model.generate([large(1)], greedy)).usage.outputTokens).toBe(4)
    })
  })

  it('many at once wait for their turn, and equal ones are encoded once', async () => {
    await withPair(directory.path, sounds, {}, async (model) => {
      const all = Array.from({ length: 8 }, (_, index) => model.generate([large(index % 2)], greedy))
      const texts = (await Promise.all(all)).map(({ text }) => text)
      expect(new Set(texts.filter((_, index) => index % 2 === 0)).size).toBe(1)
      expect(model.metrics().media).toMatchObject({ encoded: 2, reused: 6 })
    })
  })

  it('an abort of the generation gives what there is, which is nothing', async () => {
    await withPair(directory.path, sounds, {}, async (model) => {
      const generation = model.generate([large(1)], greedy)
      generation.abort()
      expect(await generation).toMatchObject({ text: '', finishReason: 'abort' })
    })
  })

  it('the model may be closed', async () => {
    const model = await openModel(await writePair(directory.path, sounds), { contextSize: 512, parallel: 2 })
    const running = [1, 2, 3].map((seed) => failure(() => model.generate([large(seed)], greedy)))
    await new Promise((resolve) => setTimeout(resolve, 20))
    await model.close()
    for (const one of await Promise.all(running)) expect(one).toMatch(/^ERR_DISPOSED/)
    expect(() => model.generate([large(1)], greedy)).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }))
  })

  it('text goes on being generated', async () => {
    await withPair(directory.path, sounds, {}, async (model) => {
      let parts = 0
      const talk = model.generate('Some words', { ...greedy, maxTokens: 100 })
      const heard = model.generate([large(7)], greedy)
      for await (const part of talk) if (part.type === 'text') parts++
      expect(parts).toBeGreaterThan(1)
      await heard
    })
  })
})

describe('prompts with media that do not fit', () => {
  it('are errors with the policy error', async () => {
    await withPair(directory.path, pictures, { contextSize: 64 }, async (model) => {
      const prompt = Array.from({ length: 17 }, (_, index) => imagePart({ seed: index }))
      expect(await failure(() => model.generate(prompt, greedy))).toMatch(/^ERR_CONTEXT_FULL/)
      expect(model.metrics().media.encoded).toBeLessThan(6)
    })
  })

  it('lose whole media with the policy truncate', async () => {
    await withPair(directory.path, pictures, { contextSize: 64 }, async (model) => {
      const prompt = [
        textPart('abc'),
        imagePart({ seed: 1 }),
        textPart('def'),
        imagePart({ seed: 2 }),
        textPart('g'.repeat(20)),
      ]
      const { usage } = await model.generate(prompt, { ...greedy, overflow: 'truncate', keep: 8, maxTokens: 8 })
      expect(usage.inputTokens).toBeLessThanOrEqual(56)
      expect(usage.outputTokens).toBe(8)
    })
  })
})
