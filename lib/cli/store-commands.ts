import type { Command } from 'commander'
import type { CommandContext } from './context.js'
import { copyCommand } from './copy-command.js'
import { listCommand } from './list-command.js'
import { pruneCommand } from './prune-command.js'
import { removeCommand } from './remove-command.js'
import { showCommand, type ShowFlags } from './show-command.js'
import { verifyCommand, type VerifyFlags } from './verify-command.js'

interface CommonFlags {
  readonly verbose?: boolean
}

/** How the program registers a command, and how it runs one. */
export interface Registration {
  readonly add: (name: string, description: string) => Command
  readonly work: (flags: CommonFlags, command: () => Promise<number>) => Promise<void>
  readonly context: CommandContext
}

/** The flag that every command has. */
export const verboseFlag = ['--verbose', 'show the code of an error'] as const

const nameArgument = 'a name as the list shows it; the case of letters does not count'

/** Registers the commands that work on the store alone. */
export function addStoreCommands({ add, work, context }: Registration): void {
  add('list', 'List the models of the store.')
    .alias('ls')
    .argument('[prefix]', 'how the names begin; the case of letters does not count')
    .option(...verboseFlag)
    .action((prefix: string | undefined, flags: CommonFlags) => work(flags, () => listCommand(context, prefix)))
  add('show', 'Show what is known of a model.')
    .argument('<model>', nameArgument)
    .option('--license', 'print its licenses')
    .option('--modelfile', 'print the Modelfile that it could have been made from')
    .option('--parameters', 'print its parameters')
    .option('--system', 'print its system message')
    .option('--template', 'print its template: the Go template if it has one, else that of the weights')
    .option('-v, --verbose', 'show metadata and tensors too, and the code of an error')
    .action((model: string, flags: ShowFlags) => work(flags, () => showCommand(context, model, flags)))
  add('cp', 'Give a model a second name.')
    .argument('<source>', nameArgument)
    .argument('<destination>', 'the new name')
    .option(...verboseFlag)
    .action((source: string, destination: string, flags: CommonFlags) =>
      work(flags, () => copyCommand(context, source, destination)),
    )
  add('rm', 'Remove models.')
    .argument('<model...>', nameArgument)
    .option(...verboseFlag)
    .action((models: string[], flags: CommonFlags) => work(flags, () => removeCommand(context, models)))
  add('verify', 'Check that every file of the models holds what it should.')
    .argument('[model...]', `${nameArgument}; all models if left out`)
    .option('--deep', 'load the models too, and look at every weight')
    .option(...verboseFlag)
    .action((models: string[], flags: VerifyFlags) => work(flags, () => verifyCommand(context, models, flags)))
  add('prune', 'Remove files of the store that no model needs, once they are an hour old.')
    .option(...verboseFlag)
    .action((flags: CommonFlags) => work(flags, () => pruneCommand(context)))
}
