import { invalidOption, unknownField } from './value.js'

/** How hard a model thinks, where its template knows levels. */
export type ReasoningLevel = 'low' | 'medium' | 'high' | 'max'

/** How a model thinks before it answers. */
export interface ReasoningOptions {
  /** Whether it does. @default true */
  readonly enabled?: boolean | undefined
  /** How hard; templates without levels don't care. @default the template's own */
  readonly level?: ReasoningLevel | undefined
  /**
   * Most tokens of thinking, 0 to 2,147,483,647: then the thinking is closed, and the answer begins. @default no limit
   */
  readonly maxTokens?: number | undefined
}

/** {@link ReasoningOptions} once checked; without `enabled`, the template decides. */
export interface ReasoningValues {
  readonly enabled: boolean | undefined
  readonly level: ReasoningLevel | undefined
  readonly maxTokens: number | undefined
}

const levels: readonly unknown[] = ['low', 'medium', 'high', 'max'] satisfies ReasoningLevel[]

/** What a caller says of thinking: yes, no, a level, or all of it. */
export function checkReasoning(value: unknown, name = 'reasoning'): ReasoningValues {
  if (typeof value === 'boolean') return { enabled: value, level: undefined, maxTokens: undefined }
  if (levels.includes(value)) return { enabled: true, level: value as ReasoningLevel, maxTokens: undefined }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidOption(name, 'true, false, low, medium, high, max, or an object', value)
  }
  const { enabled = true, level, maxTokens, ...others } = value as Record<string, unknown>
  const unknown = Object.keys(others)[0]
  if (unknown !== undefined) throw unknownField(name, unknown, ['enabled', 'level', 'maxTokens'])
  if (typeof enabled !== 'boolean') throw invalidOption(`${name}.enabled`, 'true or false', enabled)
  if (level !== undefined && !levels.includes(level)) {
    throw invalidOption(`${name}.level`, 'low, medium, high or max', level)
  }
  if (maxTokens !== undefined && !isCount(maxTokens)) {
    throw invalidOption(`${name}.maxTokens`, 'a whole number from 0 to 2147483647', maxTokens)
  }
  return { enabled, level: level as ReasoningLevel | undefined, maxTokens }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 2 ** 31 - 1
}
