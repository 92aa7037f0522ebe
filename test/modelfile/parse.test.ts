import { describe, expect, it } from 'vitest'
import { parseModelfile } from '../../lib/modelfile/index.js'
import { failure } from './failure.js'
import { plain } from './reference.js'

const read = (source: string | Uint8Array) => plain(parseModelfile(source))
const system = (value: string) => [
  { type: 'from', value: 'm' },
  { type: 'system', value },
]

describe('a value', () => {
  it.each([
    ['plain text is the rest of the line', 'SYSTEM You are terse.', 'You are terse.'],
    ['blanks around it are no part of it', 'SYSTEM \t  You are\tterse. \t ', 'You are\tterse.'],
    ['a tab may stand behind the word', 'SYSTEM\tterse', 'terse'],
    ['a # in it is data', 'SYSTEM a # b', 'a # b'],
    ['so is one at its beginning', 'SYSTEM # b', '# b'],
    ['it may be empty if a blank follows the word', 'SYSTEM ', ''],
    ['quotes are taken off', 'SYSTEM "You are terse."', 'You are terse.'],
    ['they keep blanks', 'SYSTEM "  terse \t"', '  terse \t'],
    ['they keep lines', 'SYSTEM "one\ntwo"', 'one\ntwo'],
    ['they keep CR as it is', 'SYSTEM "one\r\ntwo\rthree"\r\n', 'one\r\ntwo\rthree'],
    ['they may be empty', 'SYSTEM ""', ''],
    ['three quotes may be empty', 'SYSTEM """"""', ''],
    ['a quote within a line ends nothing', 'SYSTEM "a" b "c"', 'a" b "c'],
    ['a quote must be the last of its line', 'SYSTEM "a" b\nc"', 'a" b\nc'],
    ['blanks may follow the closing quote', 'SYSTEM "a"  \t\n', 'a'],
    ['quotes behind the first word are data', 'SYSTEM say "a"', 'say "a"'],
    ['three quotes hold quotes', 'SYSTEM """say "a"\nor "b\n"""', 'say "a"\nor "b\n'],
    ['three quotes keep the end of the first line', 'SYSTEM """\none\n"""   \n', '\none\n'],
    ['three quotes hold two', 'SYSTEM """a""\nb"""', 'a""\nb'],
    ['four quotes are three and one', 'SYSTEM """"a"""', '"a'],
    ['so at the end', 'SYSTEM """a""""', 'a"'],
    ['single quotes are data', "SYSTEM 'a'", "'a'"],
    ['backslashes are data', String.raw`SYSTEM "a\n\"`, String.raw`a\n` + '\\'],
    ['comments and instructions in quotes are data', 'SYSTEM "\n# a\nFROM b\n"', '\n# a\nFROM b\n'],
    ['characters that do not print are kept', 'SYSTEM a\u00a0\u200d\u0001\ufeff', 'a\u00a0\u200d\u0001\ufeff'],
    ['a text with << behind the blank is plain', 'SYSTEM <<END', '<<END'],
    ['a here-document is all up to its word', 'SYSTEM<<END\na """\n\nENDS\n END\nEND\n', 'a """\n\nENDS\n END'],
    ['it may be empty', 'SYSTEM<<END\nEND', ''],
    ['it may be an empty line', 'SYSTEM<<x_1 \n\n\nx_1\n', '\n'],
    ['its lines may end with CRLF', 'SYSTEM<<END\r\na\r\nb\r\nEND\r\n', 'a\r\nb'],
    ['it keeps a CR before its end', 'SYSTEM<<END\na\r\nEND\n', 'a\r'],
  ])('%s', (_rule, text, value) => {
    expect(read(`FROM m\n${text}`)).toEqual(system(value))
    expect(read(`FROM m\n${text}${text.endsWith(' ') || text.endsWith('\n') ? '' : '\n'}`)).toEqual(system(value))
  })
})

describe('an instruction', () => {
  it.each([
    ['words in any case', 'from m\nSyStEm a', system('a')],
    ['words with blanks before them', ' \t FROM m\n\tSYSTEM a', system('a')],
    ['comments and empty lines between', '# a\n\n  # b "\nFROM m\r\r\n# c\r\nSYSTEM a\n#', system('a')],
    ['FROM at the end', 'SYSTEM a\nFROM m', system('a').reverse()],
    ['a mark of byte order at the beginning', '\ufeffFROM m\nSYSTEM a', system('a')],
    ['names with blanks', 'FROM /a b/c.gguf ', [{ type: 'from', value: '/a b/c.gguf' }]],
  ])('may have %s', (_rule, text, instructions) => expect(read(text)).toEqual(instructions))

  it('is kept in its order, repeated ones too, each with its place', () => {
    const text = [
      '# a model',
      'FROM m',
      '  FROM ./projector.gguf',
      'ADAPTER ./lora.gguf',
      'DRAFT ./draft.gguf',
      'LICENSE """MIT',
      '"""',
      'LICENSE BSD',
      'TEMPLATE {{ .Prompt }}',
      'RENDERER r',
      'PARSER p',
      'REQUIRES 0.14.0',
      'PARAMETER stop "<|end|>"',
      'PARAMETER stop x',
      'PARAMETER unknown_1 x',
      'MESSAGE user "Hi',
      'there"',
      'MESSAGE assistant Hello',
      'MESSAGE system ',
    ].join('\r\n')
    expect(parseModelfile(text)).toEqual([
      { type: 'from', value: 'm', line: 2, column: 1 },
      { type: 'from', value: './projector.gguf', line: 3, column: 3 },
      { type: 'adapter', value: './lora.gguf', line: 4, column: 1 },
      { type: 'draft', value: './draft.gguf', line: 5, column: 1 },
      { type: 'license', value: 'MIT\r\n', line: 6, column: 1 },
      { type: 'license', value: 'BSD', line: 8, column: 1 },
      { type: 'template', value: '{{ .Prompt }}', line: 9, column: 1 },
      { type: 'renderer', value: 'r', line: 10, column: 1 },
      { type: 'parser', value: 'p', line: 11, column: 1 },
      { type: 'requires', value: '0.14.0', line: 12, column: 1 },
      { type: 'parameter', name: 'stop', value: '<|end|>', line: 13, column: 1 },
      { type: 'parameter', name: 'stop', value: 'x', line: 14, column: 1 },
      { type: 'parameter', name: 'unknown_1', value: 'x', line: 15, column: 1 },
      { type: 'message', role: 'user', content: 'Hi\r\nthere', line: 16, column: 1 },
      { type: 'message', role: 'assistant', content: 'Hello', line: 18, column: 1 },
      { type: 'message', role: 'system', content: '', line: 19, column: 1 },
    ])
  })
})

describe('an encoding', () => {
  const text = 'FROM m\nSYSTEM é 漢 👩‍👩‍👧'
  const little = Buffer.from(`\ufeff${text}`, 'utf16le')
  it.each([
    ['UTF-8', Buffer.from(text)],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${text}`)],
    ['UTF-16, little endian', little],
    ['UTF-16, big endian', Buffer.from(little).swap16()],
  ])('may be %s', (_name, bytes) => {
    const before = Uint8Array.from(bytes)
    expect(read(bytes)).toEqual(system('é 漢 👩‍👩‍👧'))
    expect(Uint8Array.from(bytes)).toEqual(before)
  })

  it.each([
    ['UTF-16 without a mark', Buffer.from('FROM m', 'utf16le'), 'NUL', 1, 2],
    ['UTF-16 cut off', Buffer.from([0xff, 0xfe, 0x46]), 'ends within a character', undefined, undefined],
    ['half a pair in UTF-16', Buffer.from('\ufeffFROM m\n👩\ud83d', 'utf16le'), 'surrogate', 2, 2],
    ['half a pair in a string', 'FROM m\n\n👩x\udc00', 'surrogate', 3, 3],
    ['Latin-1', Buffer.from('FROM m\nSYSTEM caf\xe9!', 'latin1'), 'not UTF-8', 2, 11],
    ['Latin-1 behind a mark', Buffer.from('\xef\xbb\xbfFROM m\n\xe9', 'latin1'), 'not UTF-8', 2, 1],
    ['UTF-8 cut off', Buffer.from('FROM m\nSYSTEM 漢').subarray(0, -1), 'not UTF-8', 2, 8],
    ['UTF-8 behind a real U+FFFD', Buffer.from([...Buffer.from('FROM \ufffd\n'), 0xef, 0xbf]), 'not UTF-8', 2, 1],
    ['NUL', 'FROM a\0b', 'NUL', 1, 7],
  ])('%s is refused where it goes wrong', (_name, source, words, line, column) => {
    const found = failure(() => parseModelfile(source))
    expect(found.message).toContain(words)
    expect(found).toMatchObject({ line, column })
  })

  it('is of a string or of bytes', () => {
    expect(() => parseModelfile(5 as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }))
  })
})

const command =
  'command must be one of "from", "license", "template", "system", "adapter", "draft", "renderer", "parser", "parameter", "message", or "requires"'
const role = 'message role must be one of "system", "user", or "assistant"'

describe('a mistake is told with Ollama’s words and its place', () => {
  it.each([
    ['an unknown instruction', 'FROM m\n FORM x', `(line 2): ${command}; here it is "FORM"`, 2, 2],
    ['a word with other characters', 'FROM m\nSYSTEM: x', `(line 2): ${command}; behind "system" a blank and`, 2, 1],
    ['a quote for an instruction', 'FROM m\n"a"', `(line 2): ${command}; here it is ""a""`, 2, 1],
    ['a word without a value', 'FROM m\nSYSTEM\n', `(line 2): ${command}; behind "system" a blank and`, 2, 1],
    ['lines are counted as editors do', 'FROM m\r\n\r\rX y', `(line 4): ${command}`, 4, 1],
    ['an unknown role', 'FROM m\nMESSAGE bad hi', `(line 2): ${role}; here it is "bad"`, 2, 9],
    ['a role in another case', 'FROM m\nMESSAGE User hi', `(line 2): ${role}; here it is "User"`, 2, 9],
    ['two blanks before a role', 'FROM m\nMESSAGE  user hi', `(line 2): ${role}; it must follow one blank`, 2, 9],
    ['two blanks before a name', 'FROM m\nPARAMETER  seed 1', `(line 2): unknown parameter ''; its name must`, 2, 11],
    ['a name without a value', 'FROM m\nPARAMETER seed\n', `(line 2): unexpected EOF: behind "seed" a blank`, 2, 11],
    ['a role without a content', 'FROM m\nMESSAGE user\n', `(line 2): unexpected EOF: behind "user" a blank`, 2, 9],
    ['a name with another character', 'FROM m\nPARAMETER top-k 1', `unexpected EOF: behind "top" a blank`, 2, 11],
    ['a file that ends in a word', 'FROM m\nSYSTEM', `(line 2): unexpected EOF: behind "SYSTEM" a blank`, 2, 1],
    ['a file that ends in a name', 'FROM m\nPARAMETER seed', `(line 2): unexpected EOF: behind "seed" a blank`, 2, 11],
    ['a quote that is never closed', 'FROM m\nSYSTEM  "a\nb', `(line 2): unexpected EOF: the quote that opens`, 2, 9],
    ['three quotes closed by two', 'FROM m\nSYSTEM """a""', `(line 2): unexpected EOF: the quote that opens`, 2, 8],
    ['a closing quote with text behind it', 'FROM m\nSYSTEM "a" b', `(line 2): unexpected EOF: the quote`, 2, 8],
    ['a here-document that is never closed', 'FROM m\nSYSTEM<<END\nEND x', `(line 2): unexpected EOF: the text`, 2, 7],
    ['a here-document without a word', 'FROM m\nSYSTEM<< END\n', `(line 2): unexpected EOF: the text`, 2, 7],
    ['no FROM', 'SYSTEM a\n', '(line 2): no FROM line; write FROM', 2, 1],
    ['nothing at all', '', '(line 1): no FROM line; write FROM', 1, 1],
    ['a FROM in a quote', 'SYSTEM "\nFROM m\n"', '(line 3): no FROM line', 3, 2],
  ])('%s', (_name, text, message, line, column) => {
    const found = failure(() => parseModelfile(text))
    expect(found.message).toContain(message)
    expect(found).toMatchObject({ line, column })
  })

  it('and what is not fit to print is not repeated', () => {
    const { message } = failure(() => parseModelfile(`FROM m\n\u001b[31m${'x'.repeat(1000)} y`))
    expect(message).not.toContain('\u001b')
    expect(message.length).toBeLessThan(400)
  })
})
