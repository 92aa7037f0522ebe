import { invalidSource, quoted } from '../fault.js'
import { i32s, texts, type Entries } from '../metadata.js'

/** llama.cpp's kinds of tokens, by their numbers in the file; those of SentencePiece are the same. */
export const tokenTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

/** A token that was put beside the trained vocabulary. */
export interface AddedToken {
  readonly id: number
  readonly text: string
  readonly special: boolean
}

/** Texts and kinds by id, one for each row of the embedding. */
export class TokenTable {
  readonly size: number
  readonly #texts: (string | undefined)[]
  readonly #types: Int32Array
  readonly #ids = new Map<string, number>()

  constructor(size: number) {
    this.size = size
    this.#texts = Array.from({ length: size })
    this.#types = new Int32Array(size).fill(tokenTypes.unused)
  }

  /** A token of the trained vocabulary; each must have a row of the embedding. */
  put(id: number, text: string, type: number): void {
    if (!Number.isInteger(id) || id < 0 || id >= this.size) {
      throw invalidSource(
        `the token ${quoted(text)} has the id ${id}, but the embedding has ${this.size} rows; do the tokenizer and the ` +
          'weights belong together?',
        { id },
      )
    }
    const before = this.#texts[id]
    if (before !== undefined && this.#ids.get(before) === id) this.#ids.delete(before)
    this.#texts[id] = text
    this.#types[id] = type
    this.#ids.set(text, id)
  }

  /** A token beside them. One without a row can't be computed with, so that it is left out. */
  add({ id, text, special }: AddedToken, spaceMark?: string): void {
    if (!Number.isInteger(id) || id < 0 || id >= this.size) return
    if (special || looksSpecial(text)) this.put(id, text, tokenTypes.control)
    else this.put(id, spaceMark === undefined ? text : text.replaceAll(spaceMark, ' '), tokenTypes.userDefined)
  }

  idOf(text: string): number | undefined {
    return this.#ids.get(text)
  }

  typeOf(id: number): number {
    return this.#types[id] ?? tokenTypes.unused
  }

  /** Keys of the vocabulary; ids without a text get one that no text is cut into. */
  entries(rename: (text: string, type: number) => string = (text) => text): Entries {
    const names = Array.from(this.#texts, (text, id) =>
      text === undefined ? `[PAD${id}]` : rename(text, this.#types[id] ?? 0),
    )
    return { 'tokenizer.ggml.tokens': texts(names), 'tokenizer.ggml.token_type': i32s(this.#types) }
  }
}

/** Some models do not mark all tokens that no user should write as special. */
function looksSpecial(text: string): boolean {
  return (
    ['<pad>', '<mask>', '<2mass>', '[@BOS@]'].includes(text) ||
    /^<\|.*\|>$/su.test(text) ||
    /^<｜.*｜>$/su.test(text) ||
    /^<unused.*>$/su.test(text)
  )
}
