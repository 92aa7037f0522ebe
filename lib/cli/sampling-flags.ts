import { InvalidArgumentError, Option, type Command } from 'commander'
import { LlameroError } from '../errors.js'
import { generateOptions, type GenerateOptions } from '../model/index.js'

/** What the flags of {@link addSamplingFlags} come to. */
export interface SamplingFlags {
  readonly seed?: number
  readonly temperature?: number
  /** -1: until the context is full. */
  readonly numPredict?: number
}

/** Flags for the options of sampling that are wanted most, checked by the library's own table. */
export function addSamplingFlags(command: Command): Command {
  return command
    .addOption(numberFlag('--seed <number>', 'seed', 'same seed, same answer (default: random)'))
    .addOption(numberFlag('--temperature <number>', 'temperature', '0 takes the likeliest token (default: 0.8)'))
    .addOption(
      numberFlag('--num-predict <tokens>', 'maxTokens', 'most tokens of the answer, -1 for no limit (default: -1)', -1),
    )
}

export function samplingOptions({ seed, temperature, numPredict }: SamplingFlags): GenerateOptions {
  return { seed, temperature, maxTokens: numPredict === -1 ? undefined : numPredict }
}

type NumberOption = 'seed' | 'temperature' | 'maxTokens'

function numberFlag(flags: string, name: NumberOption, description: string, also?: number): Option {
  const rule = generateOptions[name]
  const read = (text: string): number | undefined => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (value === also) return value
    try {
      return rule.read(value, name, { contextSize: 0, vocabularySize: 0 })
    } catch (error) {
      if (!(error instanceof LlameroError)) throw error
      throw new InvalidArgumentError(`Expected ${rule.range}${also === undefined ? '' : `, or ${also}`}.`)
    }
  }
  return new Option(flags, description).argParser(read)
}
