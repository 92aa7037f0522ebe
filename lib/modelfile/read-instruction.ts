import type { LlameroError } from '../errors.js'
import { invalidModelfile, shown } from './fault.js'
import { type Instruction, messageRoles, type Position, textInstructions } from './instruction.js'
import { isBlank, readHereDocument, readValue, skipBlanks } from './value-form.js'

/** A Modelfile's text; `positionOf` takes offsets that do not decrease. */
interface Source {
  readonly text: string
  readonly positionOf: (offset: number) => Position
}

interface ReadInstruction {
  readonly instruction: Instruction
  /** The offset behind it. */
  readonly end: number
}

/** Reads the instruction whose word begins at an offset. */
export function readInstruction(source: Source, at: number): ReadInstruction {
  const behindWord = endOfMatch(source.text, at, /[a-z]*/iy)
  const word = source.text.slice(at, behindWord)
  if (behindWord === source.text.length) throw missingValue(source, at, word)
  const type = word.toLowerCase()
  if (isSeparator(source.text, behindWord)) {
    const textType = textInstructions.find((known) => known === type)
    if (textType !== undefined) {
      const { value, end } = valueAt(source, behindWord)
      return { instruction: { type: textType, value }, end }
    }
    if (type === 'parameter') return readParameter(source, behindWord + 1)
    if (type === 'message') return readMessage(source, behindWord + 1)
  }
  throw unknownInstruction(source, at, type)
}

function readParameter(source: Source, at: number): ReadInstruction {
  const behindName = endOfMatch(source.text, at, /\w*/y)
  const name = source.text.slice(at, behindName)
  if (!isSeparator(source.text, behindName)) throw missingValue(source, at, name)
  if (name === '') {
    throw invalidModelfile(
      `unknown parameter ''; its name must follow one blank behind PARAMETER`,
      source.positionOf(at),
    )
  }
  const { value, end } = valueAt(source, behindName)
  return { instruction: { type: 'parameter', name, value }, end }
}

function readMessage(source: Source, at: number): ReadInstruction {
  const behindRole = endOfMatch(source.text, at, /[a-z]*/iy)
  const word = source.text.slice(at, behindRole)
  if (!isSeparator(source.text, behindRole)) throw missingValue(source, at, word)
  const role = messageRoles.find((known) => known === word)
  if (role === undefined) {
    const found = word === '' ? 'it must follow one blank behind MESSAGE' : `here it is "${shown(word)}"`
    const choice = 'message role must be one of "system", "user", or "assistant"'
    throw invalidModelfile(`${choice}; ${found}`, source.positionOf(at))
  }
  const { value: content, end } = valueAt(source, behindRole)
  return { instruction: { type: 'message', role, content }, end }
}

/** The value behind a word: behind its blank, or as a here-document. */
function valueAt({ text, positionOf }: Source, at: number): { readonly value: string; readonly end: number } {
  if (isBlank(text, at)) {
    const read = readValue(text, at + 1)
    if (read !== undefined) return read
    const closing = 'a closing quote must be the last of its line and of the same kind'
    throw invalidModelfile(
      `unexpected EOF: the quote that opens here is never closed; ${closing}`,
      positionOf(skipBlanks(text, at)),
    )
  }
  const read = readHereDocument(text, at)
  if (read !== undefined) return read
  const form = 'behind << there must be a word, and further down a line of that word alone'
  throw invalidModelfile(`unexpected EOF: the text that opens here is never closed; ${form}`, positionOf(at))
}

function isSeparator(text: string, at: number): boolean {
  return isBlank(text, at) || text.startsWith('<<', at)
}

function endOfMatch(text: string, at: number, pattern: RegExp): number {
  pattern.lastIndex = at
  pattern.test(text)
  return pattern.lastIndex
}

function missingValue({ text, positionOf }: Source, at: number, word: string): LlameroError {
  const found = text.slice(at + word.length).slice(0, 1)
  const place = found === '' || /[\r\n]/.test(found) ? '' : `, not "${shown(found)}"`
  return invalidModelfile(
    `unexpected EOF: behind "${shown(word)}" a blank and a value must follow${place}`,
    positionOf(at),
  )
}

function unknownInstruction({ text, positionOf }: Source, at: number, type: string): LlameroError {
  const list =
    '"from", "license", "template", "system", "adapter", "draft", "renderer", "parser", "parameter", "message", or "requires"'
  const isKnown = list.includes(`"${type}"`)
  const found = isKnown
    ? `behind "${type}" a blank and a value must follow`
    : `here it is "${shown(text.slice(at, endOfMatch(text, at, /\S*/y)))}"`
  return invalidModelfile(`command must be one of ${list}; ${found}`, positionOf(at))
}
