import type { AnswerFormat, Message } from '../chat/index.js'
import type { NativeRequest } from '../native-types.js'
import type { StepAnswer } from './answer.js'
import type { FinishReason, Part } from './part.js'

/** A request ready for the engine. */
export interface PreparedRequest {
  readonly request: NativeRequest
  /** Whether `maxTokens` is the room left in the context, not the caller's number. */
  readonly endsWithContext: boolean
  /** Absent if the answer is nothing but its text. */
  readonly answer?: AnswerPlan | undefined
  /** Called when the engine has taken the request, or never will. */
  readonly release?: (() => void) | undefined
}

/** What becomes of an answer. */
export interface AnswerPlan {
  /** How it is taken apart; absent if all of it is text. */
  readonly format: AnswerFormat | undefined
  /** What of the schemas does not bind the model. */
  readonly warnings?: readonly string[] | undefined
  /** The object that its text is. Rejects with `ERR_OUTPUT_INVALID`. */
  readonly check?: ((text: string, finishReason: FinishReason) => Promise<unknown>) | undefined
  /** Answers its calls; nothing if they are the caller's to answer. */
  readonly follow?: ((answer: StepAnswer, between: BetweenSteps) => Promise<Followed | undefined>) | undefined
}

/** What runs between steps. */
export interface BetweenSteps {
  /** Aborted when the generation ends. */
  readonly signal: AbortSignal
  readonly tell: (part: Part) => void
}

/** What came of the calls of a step. */
export interface Followed {
  readonly results: readonly Message[]
  /** The step that reads them; absent if there were enough. */
  readonly next: PreparedRequest | undefined
}
