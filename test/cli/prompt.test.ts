import { createReadStream } from 'node:fs'
import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { readPrompt, type Input } from '../../lib/cli/prompt.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const never = new AbortController().signal
const pipe = (...chunks: readonly (Uint8Array | string)[]): Input =>
  Readable.from(chunks.map((chunk) => Buffer.from(chunk)))
const terminal: Input = Object.assign(new PassThrough(), { isTTY: true })

describe('readPrompt', () => {
  it.each([
    ['words', terminal, ['a', 'b'], 'a b'],
    ['a pipe, to the letter', pipe('  one\n', 'two\n'), [], '  one\ntwo\n'],
    ['a pipe, then words', pipe('one'), ['two', 'three'], 'one two three'],
    ['words where the pipe is blank', pipe(' \n\t'), ['two'], 'two'],
    ['a character cut between two chunks', pipe(Buffer.from([0xe2, 0x82]), Buffer.from([0xac])), [], '€'],
    ['bytes that are no UTF-8', pipe(Buffer.from([0x61, 0xff, 0x62])), [], 'a\ufffdb'],
    ['a byte order mark', pipe('\ufeffone'), [], 'one'],
  ])('reads %s', async (_, stdin, words, prompt) => expect(await readPrompt(stdin, words, never)).toBe(prompt))

  it.each([
    ['a terminal', terminal, []],
    ['an empty pipe', pipe(), []],
    ['blank words', terminal, ['', ' ']],
  ])('asks for a prompt where there is none: %s', (_, stdin, words) =>
    expect(readPrompt(stdin, words, never)).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
      message: expect.stringContaining('llamero run smollm2:135m "Why is the sky blue?"') as string,
    }),
  )

  it('stops reading at the signal', async () => {
    const controller = new AbortController()
    const stdin = new PassThrough()
    const reading = readPrompt(stdin, [], controller.signal)
    stdin.write('begun')
    setImmediate(() => controller.abort())
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' })
    expect(stdin.destroyed).toBe(true)
  })

  it('does not read without end', async () => {
    const zeros = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(2 ** 22)
      })(),
    )
    await expect(readPrompt(zeros, [], never)).rejects.toMatchObject({ code: 'ERR_CONTEXT_FULL' })
  })

  it('says why standard input cannot be read', async () => {
    const folder = temporaryDirectory().path
    await expect(readPrompt(createReadStream(folder), [], never)).rejects.toMatchObject({
      code: 'ERR_STORE',
      message: expect.stringMatching(/^Standard input could not be read: EISDIR/) as string,
    })
  })
})
