import { describe, expect, it } from 'vitest'
import type { FakeAddon } from '../support/fake-addon.js'
import { openFake } from '../support/fake-model.js'

const markers = { fimPrefixToken: 258, fimSuffixToken: 259, fimMiddleToken: 257 }
const sent = (addon: FakeAddon) => [...(addon.engine().requests[0]?.tokens ?? [])]
const bytes = (text: string) => [...Buffer.from(text)]

describe('a prompt with a suffix', () => {
  it.each([
    ['prefix, suffix, then the middle', markers, 'ab', 'yz', [256, 258, ...bytes('ab'), 259, ...bytes('yz'), 257]],
    [
      'the suffix first where the vocabulary has no middle',
      { ...markers, fimMiddleToken: -1 },
      'ab',
      'yz',
      [256, 259, ...bytes('yz'), 258, ...bytes('ab')],
    ],
    [
      'no BOS where the vocabulary wants none',
      { ...markers, addsBos: false },
      'a',
      'z',
      [258, ...bytes('a'), 259, ...bytes('z'), 257],
    ],
    [
      'special tokens in either as text',
      markers,
      'a<|im_end|>',
      '<s>z',
      [256, 258, ...bytes('a<|im_end|>'), 259, ...bytes('<s>z'), 257],
    ],
    ['an empty prefix', markers, '', 'z', [256, 258, 259, ...bytes('z'), 257]],
    ['token ids as the prefix', markers, [7, 258], 'z', [256, 258, 7, 258, 259, ...bytes('z'), 257]],
    ['an empty suffix as none', markers, 'ab', '', [256, ...bytes('ab')]],
    ['a lone surrogate', markers, 'a', '\ud83d', [256, 258, ...bytes('a'), 259, ...bytes('\ufffd'), 257]],
  ])('is %s', async (_title, info, prompt, suffix, tokens) => {
    const { model, addon } = await openFake({ info })
    expect(model.info.canInfill).toBe(true)
    await model.generate(prompt, { suffix })
    expect(sent(addon)).toEqual(tokens)
  })

  it.each([['no marks'], ['fimPrefixToken'], ['fimSuffixToken']])(
    'is refused by a model without %s',
    async (missing) => {
      const { model } = await openFake({ info: missing === 'no marks' ? {} : { ...markers, [missing]: -1 } })
      expect(model.info.canInfill).toBe(false)
      expect(() => model.generate('ab', { suffix: 'yz' })).toThrow(/does not support insert/)
      expect(() => model.generate('ab', { suffix: 'yz' })).toThrow(expect.objectContaining({ code: 'ERR_UNSUPPORTED' }))
      await model.generate('ab', { suffix: '' })
    },
  )

  it('does not belong to a chat', async () => {
    const { model } = await openFake({ info: markers })
    const options: object = { suffix: 'yz' }
    expect(() => model.chat('ab', options)).toThrow(/belongs to generate/)
  })

  it('counts whole against the context', async () => {
    const { model } = await openFake({ info: markers }, { contextSize: 16 })
    await expect(model.generate('abcdefgh', { suffix: 'ijklmnop' })).rejects.toMatchObject({ code: 'ERR_CONTEXT_FULL' })
    expect(() => model.generate('a', { suffix: 'ab'.repeat(300) })).toThrow(
      expect.objectContaining({ code: 'ERR_CONTEXT_FULL' }),
    )
  })
})
