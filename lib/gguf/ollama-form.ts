import { unsupportedModel } from './fault.js'
import type { GgufFile } from './gguf-file.js'

/**
 * Architectures of Ollama's own engine, which its library publishes, by what llama.cpp calls the same models; nothing for
 * those that it calls alike but reads otherwise. Source: the translations in Ollama's patches to llama.cpp's loader.
 */
const ownArchitectures: Readonly<Record<string, string>> = {
  __proto__: null as never,
  deepseekocr: 'deepseek2-ocr',
  glm4moelite: 'deepseek2',
  glmocr: 'glm4',
  gptoss: 'gpt-oss',
  mllama: 'mllama',
  nemotron_h_omni: 'nemotron_h_moe',
  olmo3: 'olmo2',
  qwen25vl: 'qwen2vl',
}

const otherFile = 'fetch a file that was made for llama.cpp instead, for example by its converter: it'

/** Tensors of an encoder for images or sound, and of layers that predict several tokens, inside a model's own file. */
const foreignTensor = /^(v|mm|a|s|mtp)\./

/** Tensors by names of Ollama's own, by architecture. */
const ownNames: Readonly<Record<string, RegExp>> = {
  __proto__: null as never,
  gemma3: /^dense\.[01]\.weight$/,
  lfm2: /^output_norm\.weight$/,
  nemotron_h_moe: /\.ffn_latent_(in|out)\./,
  qwen35: /\.ssm_dt$/,
  qwen35moe: /\.ssm_dt$/,
  qwen3next: /\.ssm_dt$/,
}

/** Throws `ERR_UNSUPPORTED`, with what to do, for a file in a form that Ollama's library publishes and llama.cpp refuses. */
export function refuseOllamaForm({ metadata, tensors }: GgufFile, architecture: string): void {
  const usual = ownArchitectures[architecture]
  if (usual !== undefined) {
    throw unsupportedModel(
      `it is written for Ollama's own engine, as '${architecture}'; ${otherFile} has the architecture '${usual}'.`,
      { architecture },
    )
  }
  const charsmap = metadata.get('tokenizer.ggml.precompiled_charsmap')
  if (charsmap?.type === 'array' && charsmap.elementType === 'string') {
    throw unsupportedModel(
      `it holds the map of its tokenizer as text, as Ollama writes it; ${otherFile} has bytes there.`,
      {
        key: 'tokenizer.ggml.precompiled_charsmap',
      },
    )
  }
  const named = tensors.find(({ name }) => ownNames[architecture]?.test(name))
  if (named !== undefined) {
    throw unsupportedModel(
      `it calls tensors by names of Ollama's own engine, such as '${named.name}'; ${otherFile} has llama.cpp's names.`,
      { tensor: named.name, architecture },
    )
  }
  const foreign = tensors.find(({ name }) => foreignTensor.test(name))
  if (foreign === undefined) return
  throw unsupportedModel(
    `it holds an encoder or prediction layers beside the language model, such as the tensor '${foreign.name}', as ` +
      `Ollama's own engine reads them; ${otherFile} has these in a file of their own, or not at all.`,
    { tensor: foreign.name, architecture },
  )
}
