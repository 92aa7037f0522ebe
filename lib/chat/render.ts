import { LlameroError } from '../errors.js'
import type { NativeChatInput, NativeChatPrompt, NativeTextPart } from '../native-types.js'
import type { Message } from './message.js'

/** The native renderer, bound to a model's template. */
export type Renderer = (input: NativeChatInput) => Promise<NativeChatPrompt>

/** How a conversation becomes a prompt. */
export interface RenderOptions {
  /**
   * End with the opening of the assistant's turn, so that the model answers.
   * @default true
   */
  readonly addGenerationPrompt?: boolean | undefined
}

/**
 * The prompt of a conversation: runs of text, of which only those written by the template are trusted to hold special
 * tokens. The model's own Jinja template serves; a model without one gets ChatML, as in llama.cpp.
 * Rejects with `ERR_TEMPLATE` when the template can't be parsed or raises an exception.
 */
export async function renderPrompt(
  render: Renderer,
  messages: readonly Message[],
  { addGenerationPrompt = true }: RenderOptions = {},
): Promise<readonly NativeTextPart[]> {
  try {
    const { parts } = await render({
      messagesJson: JSON.stringify(messages),
      toolsJson: '',
      toolChoice: 'auto',
      parallelToolCalls: false,
      schemaJson: '',
      grammar: '',
      thinking: true,
      separateThinking: false,
      variablesJson: '{}',
      addGenerationPrompt,
      continueFinalMessage: false,
      now: Date.now(),
    })
    return parts
  } catch (error) {
    if (error instanceof LlameroError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new LlameroError('ERR_TEMPLATE', `The chat template failed: ${reason.slice(0, 1024)}`, { cause: error })
  }
}
