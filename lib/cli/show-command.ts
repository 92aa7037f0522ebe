import { LlameroError } from '../errors.js'
import { formatParameters, modelfileOf, Store, type ModelDetails } from '../store/index.js'
import type { CommandContext } from './context.js'
import { modelSections } from './model-sections.js'
import { orNotFound, storedName } from './stored-name.js'

/** The flags of `llamero show`. */
export interface ShowFlags {
  readonly license?: boolean
  readonly modelfile?: boolean
  readonly parameters?: boolean
  readonly system?: boolean
  readonly template?: boolean
  readonly verbose?: boolean
}

/** What each flag prints alone. */
const parts = {
  license: ({ licenses }) => licenses.join('\n'),
  modelfile: (details, { blobs }) => modelfileOf(blobs, details),
  parameters: ({ parameters }) => formatParameters(parameters),
  system: ({ system }) => system,
  template: ({ template, chatTemplate }) => template || chatTemplate,
} as const satisfies Partial<Record<keyof ShowFlags, (details: ModelDetails, store: Store) => string>>

type PartName = keyof typeof parts

/** Prints what is known of a model, or one part of it to the letter; the exit code. */
export async function showCommand(context: CommandContext, model: string, flags: ShowFlags): Promise<number> {
  const { stdout, interruption, modelsDirectory } = context
  const asked = (Object.keys(parts) as PartName[]).filter((name) => flags[name] === true)
  if (asked.length > 1) {
    throw new LlameroError(
      'ERR_OPTION_INVALID',
      "only one of '--license', '--modelfile', '--parameters', '--system', or '--template' can be specified",
    )
  }
  const store = new Store({ directory: modelsDirectory })
  const details = await orNotFound(model, "'", store.show(storedName(model), { signal: interruption.signal }))
  const [part] = asked
  const text = part === undefined ? modelSections(details, flags.verbose === true) : `${parts[part](details, store)}\n`
  await stdout.print(text)
  return 0
}
