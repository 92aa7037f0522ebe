import type { PromptTokens } from './chat-step.js'

/** Tokens of a conversation to be computed ahead. */
export type Prefix = Pick<PromptTokens, 'tokens' | 'placed' | 'release'>

export const noPrefix: Prefix = { tokens: new Int32Array(), placed: [], release: () => undefined }

/** The first so many tokens; an image or sound that is cut belongs to none of them. */
export function prefixUpTo({ tokens, placed, release }: Prefix, length: number): Prefix {
  const cut = placed.find(({ at, length: own }) => at < length && at + own > length)
  const end = cut === undefined ? length : cut.at
  return { tokens: tokens.slice(0, end), placed: placed.filter(({ at }) => at < end), release }
}

/** All prompts; when one can't be had, the others let go of what they hold. */
export async function allOrNone<Prompt extends Prefix>(made: readonly Promise<Prompt>[]): Promise<Prompt[]> {
  try {
    return await Promise.all(made)
  } catch (error) {
    for (const one of made)
      void one.then(
        ({ release }) => release(),
        () => undefined,
      )
    throw error
  }
}
