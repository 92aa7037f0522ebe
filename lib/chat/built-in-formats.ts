/**
 * What stands here for a renderer or parser that is code inside Ollama, by the name that a model's config gives.
 *
 * llama.cpp needs no code for each: its sources have the chat templates of many models, and from a template it makes
 * the parser of the answers. So a name stands for a template file in `models/templates` of llama.cpp.
 */
export type BuiltInFormat =
  /** The template of the same models, from which llama.cpp also makes the parser. */
  | { readonly kind: 'file'; readonly file: string }
  /** Answers are taken as they are; for parsers only. */
  | { readonly kind: 'plain' }
  /** Nothing in llama.cpp is known to be the same. */
  | { readonly kind: 'none'; readonly reason: string }

const file = (name: string): BuiltInFormat => ({ kind: 'file', file: `${name}.jinja` })
const none = (reason: string): BuiltInFormat => ({ kind: 'none', reason })

const noTemplate = 'llama.cpp has no template of these models'

/** Renderers and parsers by their names in Ollama; where both have a name they are one format. */
export const builtInFormats: ReadonlyMap<string, BuiltInFormat> = new Map([
  ['cogito', none(noTemplate)],
  ['cohere', none('llama.cpp has several templates of Cohere, and it is not known which is meant')],
  ['deepseek3', file('deepseek-ai-DeepSeek-V3.1')],
  ['deepseek3.1', file('deepseek-ai-DeepSeek-V3.1')],
  ['functiongemma', none(noTemplate)],
  ['gemma4', file('google-gemma-4-31B-it')],
  ['gemma4-large', file('google-gemma-4-31B-it')],
  ['gemma4-no-thinking', file('google-gemma-4-31B-it')],
  ['gemma4-small', none('llama.cpp has the template of the large models only')],
  ['glimmer', file('muse-glimmer')],
  ['glm-4.7', file('GLM-4.7-Flash')],
  ['glm-ocr', none(noTemplate)],
  ['harmony', file('openai-gpt-oss-120b')],
  ['laguna', none('llama.cpp has several templates of Laguna, and it is not known which is meant')],
  ['lfm2', file('LFM2-8B-A1B')],
  ['lfm2-thinking', none('llama.cpp has several templates of LFM2.5, and it is not known which is meant')],
  ['ministral', file('mistralai-Ministral-3-14B-Reasoning-2512')],
  ['nemotron-3-nano', file('NVIDIA-Nemotron-3-Nano-30B-A3B-BF16')],
  ['nemotron-3.5-nano', none(noTemplate)],
  ['olmo3', none(noTemplate)],
  ['olmo3-32b-think', none(noTemplate)],
  ['olmo3-think', none(noTemplate)],
  ['olmo3.1', none(noTemplate)],
  ['ornith', none(noTemplate)],
  ['passthrough', { kind: 'plain' }],
  ['poolside-v1', none('llama.cpp has several templates of Laguna, and it is not known which is meant')],
  ['qwen3', file('Qwen-Qwen3-0.6B')],
  ['qwen3-coder', file('Qwen3-Coder')],
  ['qwen3-thinking', none('llama.cpp has the template only of the Qwen3 models that think when they are told to')],
  ['qwen3-vl-instruct', none(noTemplate)],
  ['qwen3-vl-thinking', none(noTemplate)],
  ['qwen3.5', file('Qwen3.5-4B')],
  ['qwen3.8', none(noTemplate)],
])
