import { describe, expect, it } from 'vitest'
import { writeAnswer } from '../../lib/cli/answer.js'
import { safeText } from '../../lib/cli/safe-text.js'
import { WordWrap } from '../../lib/cli/word-wrap.js'
import type { FinishReason, Part, Usage } from '../../lib/model/index.js'
import { fakeOutput } from './fake-output.js'
import { screenOf } from './screen.js'

const usage = {} as Usage

async function* parts(texts: readonly string[], finishReason: FinishReason = 'stop'): AsyncGenerator<Part> {
  for (const text of texts) yield { type: 'text', text, tokens: new Int32Array(1) }
  yield { type: 'finish', finishReason, usage }
}

async function answer(texts: readonly string[], isTerminal: boolean, finishReason: FinishReason = 'stop') {
  const { output, text } = fakeOutput({ isTerminal })
  await writeAnswer(parts(texts, finishReason), output, { wrapsWords: true, showsThinking: true })
  return text()
}

const hostile = 'a\u001b[31mb\u001b]0;title\u0007c\rd\u009b2Je\u007ff\u0000g\th\n'

describe('writeAnswer', () => {
  it('gives a program the answer to the letter, and a blank line', async () =>
    expect(await answer([hostile, 'end'], false)).toBe(`${hostile}end\n\n`))
  it('gives a terminal no control characters', async () =>
    expect(await answer([hostile], true)).toBe('a[31mb]0;titlecd2Jefg\th\n\n\n'))
  it('ends the line of an answer that was stopped', async () =>
    expect(await answer(['half'], false, 'abort')).toBe('half\n'))
  it('breaks no line in a pipe', async () =>
    expect(await answer(['word '.repeat(50)], false)).toBe(`${'word '.repeat(50)}\n\n`))
})

describe('thinking', () => {
  async function* thought(): AsyncGenerator<Part> {
    yield { type: 'reasoning', text: 'hm, ', tokens: new Int32Array(1) }
    yield { type: 'reasoning', text: 'so\u001b[2J', tokens: new Int32Array(1) }
    yield* parts(['yes'])
  }
  const shown = async (isTerminal: boolean, showsThinking: boolean) => {
    const { output, text } = fakeOutput({ isTerminal })
    await writeAnswer(thought(), output, { wrapsWords: false, showsThinking })
    return text()
  }
  it('stands between marks before the answer', async () =>
    expect(await shown(false, true)).toBe('Thinking...\nhm, so\u001b[2J\n...done thinking.\n\nyes\n\n'))
  it('is grey on a terminal, which it can not command', async () =>
    expect(await shown(true, true)).toBe('\u001b[90mThinking...\nhm, so[2J\n...done thinking.\n\n\u001b[0myes\n\n'))
  it('can be hidden', async () => expect(await shown(true, false)).toBe('yes\n\n'))
})

describe('safeText keeps text, line feeds and tabs', () => {
  it.each(['plain', 'two\nlines\tand a tab', 'ünïcödé 日本 👩‍👩‍👧', 'العربية\u200f'])('%j', (text) =>
    expect(safeText(text)).toBe(text),
  )
})

describe('WordWrap', () => {
  const text =
    'The quick brown fox jumps over the lazy dog and then, without any hesitation whatsoever, returns.\nNew line.'
  const shown = ['The quick brown fox jumps', 'over the lazy dog and', 'then, without any', 'hesitation whatsoever,']

  const wrapped = (pieces: readonly string[], columns: number) => {
    const wrap = new WordWrap(() => columns)
    return screenOf(pieces.map((piece) => wrap.push(piece)).join(''), columns).map((line) => line.trimEnd())
  }

  it.each([
    ['at once', [text]],
    ['by characters', Array.from(text)],
    ['by words', text.split(/(?= )/)],
  ])('shows the same lines however the text comes: %s', (_, pieces) =>
    expect(wrapped(pieces, 30)).toEqual([...shown, 'returns.', 'New line.']),
  )
  it('cuts a word that is longer than the line', () =>
    expect(wrapped(['x'.repeat(25)], 15)).toEqual(['x'.repeat(10), 'x'.repeat(10), 'x'.repeat(5)]))
  it('breaks between characters of scripts without spaces', () =>
    expect(wrapped(Array.from('日本語の文章です'), 15)).toEqual(['日本語の文', '章です']))
  it('begins a new line in place of a space at the margin', () =>
    expect(wrapped(['abcde fghij klmno'], 16)).toEqual(['abcde fghij', 'klmno']))
  it('knows how far a tab goes', () => expect(wrapped(['a\tbb cc'], 16)).toEqual(['a       bb', 'cc']))
  it('leaves very narrow terminals alone', () => {
    const wrap = new WordWrap(() => 9)
    expect(wrap.push('some longer text')).toBe('some longer text')
  })
  it('follows a terminal that changes its width', () => {
    let columns = 80
    const wrap = new WordWrap(() => columns)
    const before = wrap.push('aaaa bbbb cccc')
    columns = 20
    expect(screenOf(before + wrap.push(' dddd'), 80)).toEqual(['aaaa bbbb cccc ', 'dddd'])
  })
})
