import { mediaTypes, type Layer, type Manifest } from '../store/index.js'

// Docker's model format, and CNCF's ModelPack, whose weights may be of any kind until one looks into them.
const meanings: ReadonlyMap<string, string> = new Map([
  ['application/vnd.docker.ai.gguf.v3', mediaTypes.model],
  ['application/vnd.docker.ai.gguf.v3.lora', mediaTypes.adapter],
  ['application/vnd.docker.ai.mmproj', mediaTypes.projector],
  ['application/vnd.docker.ai.license', mediaTypes.license],
  ['application/vnd.cncf.model.weight.v1.raw', mediaTypes.model],
])

/**
 * The layers of a plain GGUF artifact as Ollama names them, in their order; those that have no counterpart (documents,
 * Jinja templates, which the weights carry too) are left out. Undefined unless exactly one is the model.
 */
export function artifactLayers({ layers }: Manifest): readonly Layer[] | undefined {
  const known = layers.flatMap(({ mediaType, digest, size }) => {
    const meaning = meanings.get(mediaType)
    return meaning === undefined ? [] : [{ mediaType: meaning, digest, size }]
  })
  return known.filter(({ mediaType }) => mediaType === mediaTypes.model).length === 1 ? known : undefined
}
