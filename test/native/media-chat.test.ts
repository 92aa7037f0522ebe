import { describe, expect, it } from 'vitest'
import type { Message } from '../../lib/chat/index.js'
import type { ChatOptions } from '../../lib/model/index.js'
import { imagePart, textPart, withPair, type MediaPair } from '../support/media-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const pictures: MediaPair = ['llama', 'janus_pro']
const greedy: ChatOptions = { maxTokens: 4, temperature: 0, ignoreEos: true }
const shown = (seed: number): Message => ({
  role: 'user',
  content: [textPart('what is this? <image> '), imagePart({ seed }), textPart('?')],
})

describe('a chat that shows pictures', () => {
  it('hands them to the model where the message has them, and finds them again in the cache', async () => {
    await withPair(directory.path, pictures, {}, async (model) => {
      const plain = await model.chat('what is this? <image> ?', greedy)
      const first = await model.chat([shown(1)], greedy)
      const again = await model.chat([shown(1)], greedy)
      const other = await model.chat([shown(2)], greedy)
      expect(first.usage.inputTokens).toBeGreaterThan(plain.usage.inputTokens + 8)
      expect(again.tokens).toEqual(first.tokens)
      expect(other.usage.cachedTokens).toBeLessThan(again.usage.cachedTokens)
      expect(again.usage.cachedTokens).toBe(again.usage.inputTokens - 1)
      expect(model.metrics().media).toMatchObject({ encoded: 2 })
      expect(await model.countTokens([shown(1)])).toBe(first.usage.inputTokens)
      expect(await model.template([shown(1)])).toContain('what is this? <image> \uFFFC?')
    })
  })

  it('keeps them in a session, also in one that was saved', async () => {
    await withPair(directory.path, pictures, {}, async (model) => {
      const session = await model.session()
      await session.chat([shown(1)], greedy)
      const saved = await session.save()
      const next = await session.chat('and now?', greedy)
      expect(next.usage.cachedTokens).toBeGreaterThan(20)
      const restored = await model.session({ restore: saved })
      const { tokens, usage } = await restored.chat('and now?', greedy)
      expect(tokens).toEqual(next.tokens)
      expect(usage.cachedTokens).toBeGreaterThan(20)
      expect(restored.messages[0]?.content[1]).toMatchObject({ image: expect.stringMatching(/^data:/) })
    })
  })

  it('computes them ahead', async () => {
    await withPair(directory.path, pictures, {}, async (model) => {
      const session = await model.session()
      await session.prefill([shown(3)])
      const { usage } = await session.chat([], greedy)
      expect(usage.cachedTokens).toBe(usage.inputTokens - 1)
    })
  })

  it('is refused by a model without a projector, and by files that are no pictures', async () => {
    await withPair(directory.path, pictures, {}, async (model) => {
      const bad: Message = { role: 'user', content: [{ type: 'image', image: Buffer.from('not a picture') }] }
      await expect(model.chat([bad])).rejects.toMatchObject({ code: 'ERR_MEDIA_INVALID' })
      const sound: Message = { role: 'user', content: [{ type: 'audio', audio: 'x.wav' }] }
      expect(() => model.chat([sound])).toThrow(/takes no audio/)
    })
  })
})
