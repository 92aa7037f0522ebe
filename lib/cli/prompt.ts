import { LlameroError } from '../errors.js'

/** What `process.stdin` has in common with the streams of tests. */
export type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean; destroy?(): unknown }

// More than any model's context takes; without a limit a device that never ends would fill the memory.
const maxBytes = 64 * 2 ** 20

/**
 * The prompt: what comes through a pipe, then the words of the command line, joined with one space. Standard input is
 * read to its end unless it is a terminal.
 */
export async function readPrompt(stdin: Input, words: readonly string[], signal: AbortSignal): Promise<string> {
  const piped = stdin.isTTY === true ? '' : await readAll(stdin, signal)
  const parts = [piped, words.join(' ')].filter((part) => part.trim() !== '')
  if (parts.length > 0) return parts.join(' ')
  throw new LlameroError(
    'ERR_OPTION_INVALID',
    'Expected a prompt, but there is none. Give one after the model, as in: llamero run smollm2:135m "Why is the sky blue?", ' +
      'or pipe one in. There is no interactive prompt yet.',
  )
}

async function readAll(stdin: Input, signal: AbortSignal): Promise<string> {
  const leave = (): void => void stdin.destroy?.()
  signal.addEventListener('abort', leave, { once: true })
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    signal.throwIfAborted()
    for await (const chunk of stdin) {
      const piece = Buffer.from(chunk)
      bytes += piece.length
      if (bytes > maxBytes) throw tooLong()
      chunks.push(piece)
    }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof LlameroError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new LlameroError('ERR_STORE', `Standard input could not be read: ${reason}.`, { cause: error })
  } finally {
    signal.removeEventListener('abort', leave)
  }
  signal.throwIfAborted()
  return new TextDecoder().decode(Buffer.concat(chunks))
}

function tooLong(): LlameroError {
  return new LlameroError(
    'ERR_CONTEXT_FULL',
    `Expected at most ${maxBytes / 2 ** 20} MiB on standard input, but there is more. Pipe a shorter text in.`,
  )
}
