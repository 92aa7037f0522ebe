import type { Recipe } from '../modelfile/index.js'
import { checkModel, mediaTypes, type Layer } from '../store/index.js'
import { addFile, type CreateContext } from './add-file.js'
import type { Components } from './components.js'
import { addConverted, conversionOf, type ConversionOptions } from './conversion.js'
import { knownTemplate } from './known-template.js'
import { partMediaTypes, readPart, type Part } from './part.js'

/** Puts all parts into the store: what the base has and nothing replaces, then what is new, in Ollama's order. */
export async function composeLayers(
  context: CreateContext,
  components: Components,
  recipe: Recipe,
  conversion: ConversionOptions,
): Promise<readonly Layer[]> {
  const files = await fileLayers(context, components, conversion)
  const texts = await textLayers(context, components, recipe)
  const replaced = new Set([...files, ...texts].map(({ mediaType }) => mediaType))
  // Licenses of the base go on to hold; a template of today replaces one with the old name.
  replaced.delete(mediaTypes.license)
  if (replaced.has(mediaTypes.template)) replaced.add(mediaTypes.prompt)
  const inherited = components.base?.layers.filter(({ mediaType }) => !replaced.has(mediaType)) ?? []
  return [...inherited, ...files, ...texts]
}

async function fileLayers(
  context: CreateContext,
  components: Components,
  conversion: ConversionOptions,
): Promise<readonly Layer[]> {
  const { adapter, projectors, draft } = components
  const weights = await weightsLayer(context, components, conversion)
  const layers: Layer[] = weights === undefined ? [] : [weights]
  for (const part of [adapter, ...projectors]) {
    if (part !== undefined) layers.push(await addPart(context, part, partMediaTypes[part.kind]))
  }
  if (draft !== undefined) layers.push(await addPart(context, draft, mediaTypes.draft))
  return layers
}

// None for weights that stay those of the base.
async function weightsLayer(
  context: CreateContext,
  { base, weights }: Components,
  conversion: ConversionOptions,
): Promise<Layer | undefined> {
  const source = weights ?? base?.weights
  const type = source && conversionOf(source.header, conversion)
  if (source !== undefined && type !== undefined) return addConverted(context, source, type, conversion)
  return weights && addPart(context, weights, mediaTypes.model)
}

// The file may have changed since its header was read: the copy is what counts.
function addPart(context: CreateContext, part: Part, mediaType: string): Promise<Layer> {
  const { signal } = context
  return addFile(context, part.path, mediaType, async (copy) => {
    if (part.kind === 'model') await checkModel(copy, signal)
    else await readPart(copy, signal)
  })
}

async function textLayers(
  context: CreateContext,
  { base, weights }: Components,
  recipe: Recipe,
): Promise<readonly Layer[]> {
  const { store, report } = context
  // What is made from another model has that one's template, or was made without one.
  const known = weights && recipe.template === undefined ? knownTemplate(weights.header) : undefined
  if (known !== undefined) report({ status: `using autodetected template ${known.name}` })
  const layers: Layer[] = []
  const add = async (mediaType: string, content: string) => {
    const layer = await store.addLayer(mediaType, content)
    report({ status: `creating new layer ${layer.digest}` })
    layers.push(layer)
  }
  const { system, messages, licenses } = recipe
  const template = recipe.template ?? known?.template
  const parameters = { ...base?.details.parameters, ...(known && { stop: known.stop }), ...recipe.parameters }
  const setsParameters = known !== undefined || Object.keys(recipe.parameters).length > 0
  if (template) await add(mediaTypes.template, template)
  if (system) await add(mediaTypes.system, system)
  if (setsParameters) await add(mediaTypes.params, JSON.stringify(parameters))
  if (messages.length > 0) await add(mediaTypes.messages, JSON.stringify(messages))
  for (const license of licenses) await add(mediaTypes.license, license)
  return layers
}
