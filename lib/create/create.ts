import { LlameroError } from '../errors.js'
import { parseModelfile, readRecipe, type Instruction, type Position, type Recipe } from '../modelfile/index.js'
import { checkName, parseName, withOwnClaims, type ModelName, type Store, type StoredModel } from '../store/index.js'
import { runTransfer, type RunningTransfer } from '../transfer/index.js'
import { quantizationType } from '../runtime/index.js'
import type { CreateContext } from './add-file.js'
import type { BasePullOptions } from './base-model.js'
import { gatherComponents } from './components.js'
import type { ConversionOptions } from './conversion.js'
import { composeLayers } from './layers.js'
import { Scratch } from './scratch.js'
import { checkTemplate } from './template-check.js'

/** How a model is made. */
export interface CreateOptions extends ConversionOptions {
  /** Where relative paths of the Modelfile start. @default the current folder of the process */
  readonly directory?: string | undefined
  /** How a base model that the store lacks is fetched. */
  readonly pull?: BasePullOptions | undefined
  /** Stops the work, which rejects with the signal's reason; the store is as it was. */
  readonly signal?: AbortSignal | undefined
}

/** A running making of a model; its news are in the words of Ollama's API. */
export type Creation = RunningTransfer<StoredModel>

/**
 * Makes a model as a Modelfile says: from another model of the store, which is pulled if it is missing, from GGUF files
 * of this machine (weights, a projector, an adapter), from a folder of them, or from a folder of safetensors in Hugging
 * Face's layout, which is converted (an adapter in PEFT's layout too). What the base has and the Modelfile does
 * not replace is inherited; no weights are copied from one model to another. The parts of a split model are joined. The new model appears in one step, with
 * everything that it names; what stood under its name before is replaced.
 *
 * @param name what the model will be called
 * @param modelfile text or bytes of a Modelfile, or its instructions
 *
 * Errors: `ERR_NAME_INVALID`, `ERR_MODELFILE_INVALID`, `ERR_TEMPLATE` for a `TEMPLATE` that cannot be parsed, `ERR_MODEL_NOT_FOUND` for a file that is not there and for a base
 * that cannot be had, `ERR_MODEL_INVALID` and `ERR_MODEL_REJECTED` for files that cannot be used together,
 * `ERR_UNSUPPORTED`, `ERR_OPTION_INVALID`, `ERR_DISK_FULL`, `ERR_STORE`, and those of a pull, of `quantize` and of `convert`.
 */
export function create(
  store: Store,
  name: ModelName | string,
  modelfile: string | Uint8Array | Iterable<Instruction & Partial<Position>>,
  options: CreateOptions = {},
): Creation {
  const { directory = process.cwd(), pull = {}, signal, ...conversion } = options
  return runTransfer('making of the model', signal, async (work) => {
    const target = typeof name === 'string' ? parseName(name) : checkName(name)
    checkNames(options)
    if (conversion.quantize !== undefined) quantizationType(conversion.quantize)
    const recipe = readRecipe(isText(modelfile) ? parseModelfile(modelfile) : modelfile)
    if (recipe.template !== undefined) checkTemplate(recipe.template)
    return withOwnClaims(store, async (own) => {
      const scratch = new Scratch(own)
      try {
        return await make({ store: own, directory, scratch, ...work }, target, recipe, { pull, conversion })
      } finally {
        await scratch.remove()
      }
    })
  })
}

async function make(
  context: CreateContext,
  name: ModelName,
  recipe: Recipe,
  { pull, conversion }: { readonly pull: BasePullOptions; readonly conversion: ConversionOptions },
): Promise<StoredModel> {
  const { store, signal, report } = context
  for (const parameter of recipe.deprecated) report({ status: `warning: parameter ${parameter} is deprecated` })
  report({ status: 'gathering model components' })
  const components = await gatherComponents(context, recipe, pull)
  const layers = await composeLayers(context, components, recipe, conversion)
  const { base } = components
  signal.throwIfAborted()
  report({ status: 'writing manifest' })
  return store.createModel(name, {
    layers,
    config: {
      renderer: recipe.renderer ?? base?.details.renderer ?? '',
      parser: recipe.parser ?? base?.details.parser ?? '',
      requires: recipe.requires ?? base?.details.requires ?? '',
      capabilities: base?.details.claimedCapabilities ?? [],
    },
    signal,
    onUnused: () => report({ status: 'removing unused layers' }),
  })
}

const optionNames: Readonly<Record<keyof CreateOptions, true>> = {
  directory: true,
  pull: true,
  signal: true,
  quantize: true,
  allowRequantize: true,
  imatrix: true,
  threads: true,
  probe: true,
  probeDirectory: true,
}

function checkNames(options: CreateOptions): void {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(optionNames, name))
  if (unknown === undefined) return
  throw new LlameroError(
    'ERR_OPTION_INVALID',
    `There is no option "${unknown}" of create. Known are ${Object.keys(optionNames).join(', ')}.`,
    { details: { option: unknown } },
  )
}

function isText(modelfile: string | Uint8Array | Iterable<unknown>): modelfile is string | Uint8Array {
  return typeof modelfile === 'string' || modelfile instanceof Uint8Array
}
