import type { Message } from '../model/index.js'
import { parseReference } from '../transfer/index.js'
import { answerOptions, type AnswerFlags } from './answer-flags.js'
import { writeAnswer } from './answer.js'
import type { CommandContext } from './context.js'
import { exitCodeOf } from './interruption.js'
import { loadWithProgress } from './load-progress.js'
import { readPrompt } from './prompt.js'
import { samplingOptions, type SamplingFlags } from './sampling-flags.js'
import { statistics } from './statistics.js'

/** The flags of `llamero run`. */
export interface RunFlags extends AnswerFlags, SamplingFlags {
  readonly verbose?: boolean
  readonly nowordwrap?: boolean
  readonly system?: string
  readonly insecure?: boolean
}

/** Answers one prompt on standard output, as the answer comes; the exit code. */
export async function runCommand(
  context: CommandContext,
  reference: string,
  words: readonly string[],
  flags: RunFlags,
): Promise<number> {
  const { stdin, stdout, stderr, interruption, modelsDirectory, variables } = context
  const { signal } = interruption
  // A mistyped name is told before standard input is waited for.
  parseReference(reference)
  const messages = conversation(await readPrompt(stdin, words, signal), flags.system)
  const pull = { variables, insecure: flags.insecure === true }
  const { model, loadMs } = await loadWithProgress(reference, { modelsDirectory, signal, pull }, stderr)
  try {
    signal.throwIfAborted()
    const startedAt = performance.now()
    const generation = model.chat(messages, { ...samplingOptions(flags), ...answerOptions(flags) })
    signal.addEventListener('abort', () => generation.abort(), { once: true })
    const { finishReason, usage } = await writeAnswer(generation, stdout, {
      wrapsWords: flags.nowordwrap !== true,
      showsThinking: flags.hidethinking !== true,
    })
    if (finishReason === 'context-full') {
      const { contextSize } = model.info
      await stderr.print(`The answer was cut off: the context of ${contextSize} tokens is full.\n`)
    }
    if (flags.verbose === true) {
      await stderr.print(statistics({ usage, loadMs, totalMs: loadMs + performance.now() - startedAt }))
    }
  } finally {
    await model.close()
  }
  // Ctrl-C while an answer streams is a normal way to end it; a system that ends the program is told so.
  return interruption.cause === undefined || interruption.cause === 'SIGINT' ? 0 : exitCodeOf(interruption.cause)
}

function conversation(prompt: string, system: string | undefined): Message[] {
  const question: Message = { role: 'user', content: prompt }
  return system === undefined ? [question] : [{ role: 'system', content: system }, question]
}
