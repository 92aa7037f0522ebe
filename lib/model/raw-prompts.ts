import { LlameroError } from '../errors.js'
import type { NativeTextPart } from '../native-types.js'
import { infillPrompt, requireInfill } from './infill.js'
import type { MediaOfRequest } from './media-encoder.js'
import { type MediaPrompt, promptOfParts } from './media-prompt.js'
import type { RunJob } from './native-job.js'
import type { OpenedModel } from './open-model.js'
import type { GenerateValues } from './options.js'
import { fitPrompt } from './overflow.js'
import { checkText, checkTokens } from './prompt.js'
import { checkParts, isParts, type PromptPart, type RawPrompt } from './prompt-part.js'

/** A raw prompt once checked. */
export type CheckedPrompt = string | Int32Array | readonly PromptPart[]

/** Makes tokens of raw prompts: text, tokens, or parts with images and audio. */
export class RawPrompts {
  readonly #opened: OpenedModel
  readonly #run: RunJob

  constructor(opened: OpenedModel, run: RunJob) {
    this.#opened = opened
    this.#run = run
  }

  /** Throws `ERR_OPTION_INVALID` `ERR_TOKEN_INVALID` `ERR_UNSUPPORTED`. */
  check(prompt: RawPrompt): CheckedPrompt {
    const { info } = this.#opened
    if (typeof prompt === 'string') return prompt
    return isParts(prompt) ? checkParts(prompt, info) : checkTokens(prompt, 'prompt', info.vocabularySize)
  }

  /** The prompt as the policy of overflow lets it pass; at least one token. */
  async make(prompt: CheckedPrompt, values: GenerateValues, media: MediaOfRequest): Promise<MediaPrompt> {
    const { info } = this.#opened
    if (isParts(prompt)) {
      const tokenize = (part: NativeTextPart, first: boolean): Promise<Int32Array> => this.#tokenize([part], first)
      return promptOfParts(prompt, values, { media, info, tokenize })
    }
    const tokens =
      values.suffix === undefined
        ? fitPrompt(await this.#textTokens(prompt), values, info.contextSize, info.bosToken)
        : await this.#infill(prompt, values.suffix)
    return { tokens: this.#beginning(tokens), media: [] }
  }

  #textTokens(prompt: string | Int32Array): Promise<Int32Array> | Int32Array {
    if (typeof prompt !== 'string') return prompt
    const text = checkText(prompt, 'prompt', this.#opened.info.contextSize)
    return this.#tokenize([{ text, trusted: true }], true)
  }

  async #infill(prompt: string | Int32Array, suffix: string): Promise<Int32Array> {
    const { infill, info, addsBos } = this.#opened
    const plain = (text: string): Promise<Int32Array> => this.#tokenize([{ text, trusted: false }], false)
    const text = typeof prompt === 'string' ? checkText(prompt, 'prompt', info.contextSize) : prompt
    const [before, after] = await Promise.all([typeof text === 'string' ? plain(text) : text, plain(suffix)])
    return infillPrompt(requireInfill(infill, info), before, after, addsBos ? info.bosToken : undefined)
  }

  #beginning(tokens: Int32Array): Int32Array {
    const { bosToken } = this.#opened.info
    if (tokens.length > 0) return tokens
    if (bosToken !== undefined) return Int32Array.of(bosToken)
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      '"prompt" must have at least one token: the vocabulary of this model has no BOS token to begin an empty one with.',
      { details: { option: 'prompt', expected: 'at least one token', got: 'none' } },
    )
  }

  #tokenize(parts: readonly NativeTextPart[], addSpecial: boolean): Promise<Int32Array> {
    const { addon, native } = this.#opened
    return this.#run(() => addon.tokenize(native, parts, { addSpecial }))
  }
}
