import { describe, expect, it } from 'vitest'
import { mediaMarker, splitAtMarker } from '../../lib/chat/index.js'
import { mediumText, type RenderedPart } from '../../lib/model/media-prompt.js'
import { continuePrompt, emptyTranscript, rewound, withAnswer, type Tokenizer } from '../../lib/model/transcript.js'
import type { NativeMedium, NativeTextPart } from '../../lib/native-types.js'
import { bosToken, pieceOf, tokenizeParts } from '../support/fake-vocabulary.js'

const tokenizer: Tokenizer = {
  tokenizeChat: async (parts) => Int32Array.from([bosToken, ...tokenizeParts(parts)]),
  tokenize: async (parts) => Int32Array.from(tokenizeParts(parts)),
  piece: pieceOf,
}
const text = (given: string): RenderedPart => ({ text: given, trusted: false })
const bytes = (given: string) => [...Buffer.from(given)]

function medium(digest: string, ...ids: number[]): RenderedPart {
  const native = { digest } as unknown as NativeMedium
  return { text: mediumText, trusted: true, medium: { tokens: Int32Array.from(ids), digest, native } }
}

const cat = medium('cat', -10, -11, -12)
const dog = medium('dog', -20, -21)

describe('a transcript with media', () => {
  const start = [text('See '), cat, text('!')]

  it('holds their ids among the tokens, and says where they stand', async () => {
    const prompt = await continuePrompt(emptyTranscript, start, tokenizer)
    expect([...prompt.tokens]).toEqual([bosToken, ...bytes('See '), -10, -11, -12, ...bytes('!')])
    expect(prompt.placed).toEqual([{ at: 5, length: 3, medium: { digest: 'cat' } }])
    expect(prompt.media).toEqual([{ characters: 4, tokens: 5, length: 3, digest: 'cat' }])
  })

  it('may begin with one', async () => {
    const { tokens, placed } = await continuePrompt(emptyTranscript, [dog, cat], tokenizer)
    expect([...tokens]).toEqual([bosToken, -20, -21, -10, -11, -12])
    expect(placed.map(({ at }) => at)).toEqual([1, 3])
  })

  it('goes on with its own tokens, and what is new behind them', async () => {
    const before = withAnswer(
      await continuePrompt(emptyTranscript, start, tokenizer),
      { text: 'ok', tokens: Int32Array.of(111, 258, 107) },
      2,
      tokenizer,
    )
    const next = await continuePrompt(before, [...start, text('ok'), dog, text('?')], tokenizer)
    expect([...next.tokens]).toEqual([...before.tokens, -20, -21, ...bytes('?')])
    expect([...before.tokens].slice(-3)).toEqual([111, 258, 107])
    expect(next.placed.map(({ at, length }) => [at, length])).toEqual([
      [5, 3],
      [before.tokens.length, 2],
    ])
    expect(rewound(withAnswer(next, { text: '', tokens: new Int32Array() }, 4, tokenizer), 2)).toEqual(before)
  })

  it.each([
    ['another image stands there', [text('See '), medium('cow', -30, -31, -32), text('!')]],
    ['the character that stands for one was written', [text(`See ${mediumText}!`)]],
    ['it was text before', [text('See '), cat, text(`!`)], [text(`See ${mediumText}!`)]],
  ])('is made anew when %s', async (_, parts, first = start) => {
    const before = withAnswer(
      await continuePrompt(emptyTranscript, first, tokenizer),
      { text: 'ok', tokens: Int32Array.of(111, 258, 107) },
      2,
      tokenizer,
    )
    const next = await continuePrompt(before, [...parts, text('ok?')], tokenizer)
    expect(next.tokens).not.toContain(258)
    expect(next.marks).toEqual([])
  })
})

describe('what a template writes of media', () => {
  const marker = mediaMarker()
  const run = (given: string, trusted = false): NativeTextPart => ({ text: given, trusted })

  it('is found between the runs of text', () => {
    const parts = [run('<user>', true), run(`a${marker}b${marker}`), run('</user>', true)]
    expect(splitAtMarker(parts, marker, 2)).toEqual([
      run('<user>', true),
      run('a'),
      0,
      run('b'),
      1,
      run('</user>', true),
    ])
  })

  it('is found in two runs of one kind', () => {
    expect(splitAtMarker([run(marker.slice(0, 9)), run(marker.slice(9))], marker, 1)).toEqual([0])
  })

  it('differs for each prompt', () => expect(mediaMarker()).not.toBe(mediaMarker()))

  it.each([
    ['less', ''],
    ['more', marker + marker],
  ])('is an error if it is %s than was given', (_, given) => {
    expect(() => splitAtMarker([run(given)], marker, 1)).toThrow(expect.objectContaining({ code: 'ERR_TEMPLATE' }))
  })
})
