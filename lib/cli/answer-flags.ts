import { InvalidArgumentError, Option, type Command } from 'commander'
import type { ChatOptions, ReasoningLevel, Schema } from '../model/index.js'

/** What the flags of {@link addAnswerFlags} come to. */
export interface AnswerFlags {
  readonly think?: boolean | ReasoningLevel
  readonly hidethinking?: boolean
  /** `json`, or a schema. */
  readonly format?: 'json' | Schema
}

const thinkValues: Readonly<Record<string, boolean | ReasoningLevel>> = {
  true: true,
  false: false,
  low: 'low',
  medium: 'medium',
  high: 'high',
  max: 'max',
}

/** Flags for what an answer is: its thinking and its form. They are Ollama's. */
export function addAnswerFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--think [level]', 'think before answering: true, false, low, medium, high or max')
        .argParser(readThink)
        .preset('true'),
    )
    .option('--hidethinking', 'do not show what is thought')
    .addOption(
      new Option('--format <json or schema>', 'answer with any JSON object, or as a JSON schema says').argParser(
        readFormat,
      ),
    )
}

/** The options behind the flags. */
export function answerOptions({ think, format }: AnswerFlags): ChatOptions {
  return {
    ...(think !== undefined && { reasoning: think }),
    ...(format === 'json' ? { json: true } : format !== undefined && { schema: format }),
  }
}

function readThink(text: string): boolean | ReasoningLevel {
  const value = Object.hasOwn(thinkValues, text) ? thinkValues[text] : undefined
  if (value !== undefined) return value
  throw new InvalidArgumentError('Expected true, false, low, medium, high or max.')
}

function readFormat(text: string): 'json' | Schema {
  if (text === 'json') return text
  try {
    const schema = JSON.parse(text) as unknown
    if (typeof schema === 'object' && schema !== null) return schema as Schema
  } catch {
    // Said below.
  }
  throw new InvalidArgumentError('Expected json, or a JSON schema as JSON text.')
}
