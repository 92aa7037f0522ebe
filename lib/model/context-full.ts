import { LlameroError } from '../errors.js'

export function contextFullError(size: string, contextSize: number, details: object): LlameroError {
  return new LlameroError(
    'ERR_CONTEXT_FULL',
    `The prompt has ${size}, but prompt and answer share a context of ${contextSize} tokens; ` +
      'shorten the prompt or open the model with a larger contextSize.',
    { details: { ...details, contextSize } },
  )
}
