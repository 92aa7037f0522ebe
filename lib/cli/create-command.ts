import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { create } from '../create/index.js'
import { LlameroError } from '../errors.js'
import { parseName, Store } from '../store/index.js'
import type { CommandContext } from './context.js'
import { reportPull } from './pull-progress.js'

/** What `create` was told. */
export interface CreateFlags {
  readonly file?: string
  readonly quantize?: string
  readonly allowRequantize?: boolean
  readonly imatrix?: string
  readonly insecure?: boolean
}

const stopped = 'Stopped. No model was made.'

/** Makes a model from a Modelfile; the exit code. */
export async function createCommand(
  context: CommandContext,
  name: string,
  { file, insecure = false, quantize, allowRequantize, imatrix }: CreateFlags,
): Promise<number> {
  const { stderr, interruption, modelsDirectory, variables } = context
  const { signal } = interruption
  const target = parseName(name)
  const modelfile = await readModelfile(file)
  const store = new Store({ directory: modelsDirectory })
  const creation = create(store, target, modelfile.source, {
    directory: modelfile.directory,
    pull: { variables, insecure },
    quantize,
    allowRequantize,
    imatrix,
    signal,
  })
  const reporter = reportPull(stderr, stopped)
  try {
    for await (const news of creation) reporter.report(news)
  } finally {
    reporter.end({ isStopped: signal.aborted })
  }
  await creation
  return 0
}

interface FoundModelfile {
  readonly source: Uint8Array | string
  readonly directory: string
}

/** Without a file, as in Ollama, the folder itself is what the model is made from. */
async function readModelfile(file: string | undefined): Promise<FoundModelfile> {
  const path = resolve(file ?? 'Modelfile')
  try {
    return { source: await readFile(path), directory: dirname(path) }
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    if (isMissing && file === undefined) return { source: 'FROM .', directory: process.cwd() }
    throw new LlameroError(
      isMissing ? 'ERR_MODEL_NOT_FOUND' : 'ERR_STORE',
      isMissing
        ? `There is no Modelfile ${JSON.stringify(path)}.`
        : `The Modelfile ${JSON.stringify(path)} could not be read: ${(cause as Error).message}.`,
      { cause, details: { path } },
    )
  }
}
