import { invalidOption, prepareSchema, type PreparedSchema } from '../chat/index.js'
import { LlameroError } from '../errors.js'
import type { AnswerValues } from './options.js'
import type { FinishReason } from './part.js'

const anyObject = prepareSchema({ type: 'object' }, 'json')

/** What an answer has to be: a schema's, any object, or anything. Throws `ERR_OPTION_INVALID` for two at once. */
export function answerSchema({ schema, json, grammar }: AnswerValues): PreparedSchema | undefined {
  if (grammar !== '' && (schema !== undefined || json)) {
    throw invalidOption('grammar', 'absent together with schema and json', grammar)
  }
  return schema ?? (json ? anyObject : undefined)
}

/** The object that an answer's text is. Rejects with `ERR_OUTPUT_INVALID`, whose `details` hold the text. */
export async function checkObject(schema: PreparedSchema, text: string, finishReason: FinishReason): Promise<unknown> {
  if (finishReason !== 'stop') {
    throw outputInvalid(`it was cut off (${finishReason}); allow more tokens`, text, { finishReason })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw outputInvalid('it is no JSON', text, { finishReason }, cause)
  }
  const checked = await schema.validate(value)
  if (checked.ok) return checked.value
  throw outputInvalid(checked.reason, text, { finishReason, relaxed: schema.relaxed })
}

function outputInvalid(
  reason: string,
  text: string,
  details: Readonly<Record<string, unknown>>,
  cause?: unknown,
): LlameroError {
  return new LlameroError('ERR_OUTPUT_INVALID', `The answer does not follow the schema: ${reason}.`, {
    details: { text, ...details },
    ...(cause !== undefined && { cause }),
  })
}
