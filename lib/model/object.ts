import { invalidOption, type PreparedSchema } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { FinishReason } from './part.js'
import type { AnswerValues } from './options.js'

/** What an answer has to be, if it has to be something. Throws `ERR_OPTION_INVALID` for two at once. */
export function answerSchema({ schema, json, grammar }: AnswerValues): PreparedSchema | undefined {
  const given = schema ?? json
  if (grammar !== '' && given !== undefined) {
    throw invalidOption('grammar', 'absent together with schema and json', grammar)
  }
  return given
}

/** The object that an answer's text is. Rejects with `ERR_OUTPUT_INVALID`, whose `details` hold the text. */
export async function checkObject(schema: PreparedSchema, text: string, finishReason: FinishReason): Promise<unknown> {
  if (finishReason === 'stop') return schema.validate(text)
  throw new LlameroError(
    'ERR_OUTPUT_INVALID',
    `The answer was cut off (${finishReason}) before it met the schema: allow more tokens, or bound strings and arrays.`,
    { details: { text, finishReason } },
  )
}
