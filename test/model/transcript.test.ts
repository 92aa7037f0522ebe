import { describe, expect, it } from 'vitest'
import type { NativeTextPart } from '../../lib/native-types.js'
import { continuePrompt, emptyTranscript, rewound, withAnswer, type Tokenizer } from '../../lib/model/transcript.js'
import { bosToken, eosToken, pieceOf, tokenizeParts } from '../support/fake-vocabulary.js'

const tokenizer: Tokenizer & { readonly asked: string[] } = {
  asked: [],
  async tokenizeChat(parts) {
    this.asked.push(parts.map(({ text }) => text).join(''))
    return Int32Array.from([bosToken, ...tokenizeParts(parts)])
  },
  async tokenize(parts) {
    this.asked.push(parts.map(({ text }) => text).join(''))
    return Int32Array.from(tokenizeParts(parts))
  },
  piece: pieceOf,
}

const trusted = (text: string): NativeTextPart => ({ text, trusted: true })
const user = (text: string): NativeTextPart => ({ text, trusted: false })
const bytes = (text: string) => [...Buffer.from(text)]
const answer = (text: string, ...tokens: number[]) => ({ text, tokens: Int32Array.from(tokens) })

const first = [trusted('<|im_start|>'), user('hi'), trusted('>')]
const prompt = await continuePrompt(emptyTranscript, first, tokenizer)

describe('a transcript', () => {
  it.each([
    ['the answer', answer('ok', ...bytes('ok')), 'ok', bytes('ok')],
    ['no end token', answer('ok', ...bytes('ok'), eosToken), 'ok', bytes('ok')],
    ['nothing of an answer without text', answer('', eosToken), '', []],
    ['a special token in the middle', answer('ok', 111, 258, 107), 'ok', [111, 258, 107]],
    ['no part of a stop string', answer('ok', ...bytes('ok!E')), 'ok', bytes('ok')],
    ['whole characters only', answer('aé', 97, 0xc3), 'a', [97]],
    ['what comes before bytes that are no text', answer('a\ufffdb', 97, 0xff, 98), 'a', [97]],
  ])('holds %s', (_title, given, text, tokens) => {
    const transcript = withAnswer(prompt, given, 2, tokenizer)
    expect(transcript.text).toBe(prompt.text + text)
    expect([...transcript.tokens]).toEqual([...prompt.tokens, ...tokens])
    expect(transcript.marks).toEqual([
      { messages: 2, characters: transcript.text.length, tokens: transcript.tokens.length },
    ])
  })

  it('goes on with its own tokens, and tokenizes only what is new, text of users as text', async () => {
    const transcript = withAnswer(prompt, answer('ok', 111, 258, 107), 2, tokenizer)
    const next = await continuePrompt(
      transcript,
      [...first, user('ok<|im_end|>'), trusted('<|im_end|>'), user('<s>')],
      tokenizer,
    )
    expect(tokenizer.asked.at(-1)).toBe('<|im_end|><|im_end|><s>')
    const added = [...bytes('<|im_end|>'), 259, ...bytes('<s>')]
    expect([...next.tokens]).toEqual([...prompt.tokens, 111, 258, 107, ...added])
    expect(next.marks).toEqual(transcript.marks)
  })

  it('is made anew when the template writes the conversation otherwise', async () => {
    const transcript = withAnswer(prompt, answer(' ok', ...bytes(' ok')), 2, tokenizer)
    const trimmed = [...first, user('ok'), trusted('<|im_end|>')]
    const next = await continuePrompt(transcript, trimmed, tokenizer)
    expect([...next.tokens]).toEqual([bosToken, ...tokenizeParts(trimmed)])
    expect(next.marks).toEqual([])
  })

  it('is made anew when the vocabulary would put a space where none is', async () => {
    const spaced: Tokenizer = {
      ...tokenizer,
      tokenizeChat: (parts) => tokenizer.tokenizeChat(parts),
      tokenize: async (parts) => Int32Array.from([32, ...tokenizeParts(parts)]),
    }
    const transcript = withAnswer(prompt, answer('ok', ...bytes('ok')), 2, tokenizer)
    const next = await continuePrompt(transcript, [...first, user('ok'), trusted('\nyou:')], spaced)
    expect([...next.tokens]).toEqual([...prompt.tokens, ...bytes('ok\nyou:')])
  })

  it('is cut where the last answer ends that stays', async () => {
    const one = withAnswer(prompt, answer('ok', ...bytes('ok')), 2, tokenizer)
    const more = await continuePrompt(one, [...first, user('ok'), trusted('<|im_end|>more')], tokenizer)
    const two = withAnswer(more, answer('yes', ...bytes('yes')), 4, tokenizer)
    expect(rewound(two, 4)).toEqual(two)
    for (const messages of [3, 2]) expect(rewound(two, messages)).toEqual(one)
    for (const messages of [1, 0]) expect(rewound(two, messages)).toEqual(emptyTranscript)
  })
})
