import { LlameroError } from '../errors.js'
import { builtInFormats } from './built-in-formats.js'
import { goTemplateCapabilities, rendersToolResults, type GoTemplate } from './go-template/index.js'

/** What a model brings along to make prompts with. */
export interface TemplateFacts {
  /** The renderer that its config names; '' for none. */
  readonly renderer: string
  /** The parser that its config names; '' for none. */
  readonly parser: string
  /** Architecture, such as `llama`. */
  readonly family: string
  /** Its TEMPLATE layer. @default none */
  readonly goTemplate?: GoTemplate | undefined
  /** The Jinja template of its weights. @default none */
  readonly chatTemplate?: ChatTemplateFacts | undefined
  /** Whether the TEMPLATE layer shall serve, as `OLLAMA_GO_TEMPLATE` says. @default whichever can do more */
  readonly useGoTemplate?: boolean | undefined
}

/** The Jinja template of a model's weights. */
export interface ChatTemplateFacts {
  readonly source: string
  /** What it lets the model be asked for: `tools`, `thinking`. */
  readonly capabilities: readonly string[]
}

/** The template that a model's chats are rendered with, and what tells how its answers are read. */
export interface ServingTemplate {
  readonly prompt:
    | { readonly kind: 'go'; readonly template: GoTemplate }
    | { readonly kind: 'jinja'; readonly source: string }
    /** A file in `models/templates` of llama.cpp. */
    | { readonly kind: 'file'; readonly file: string }
    /** The model has none. */
    | { readonly kind: 'default' }
  readonly answers:
    /** By the template of the prompt. */
    | { readonly kind: 'prompt' }
    /** By this template of llama.cpp, whatever renders the prompt. */
    | { readonly kind: 'file'; readonly file: string }
    /** They are text and nothing else. */
    | { readonly kind: 'plain' }
}

/**
 * Which template serves, in Ollama's order: the renderer that the config names; the TEMPLATE layer, unless the weights'
 * own template is better; the weights' own; none.
 *
 * Renderers are code inside Ollama that does what the weights' template does, so here the weights' own template stands
 * for them, else llama.cpp's template of the same models, else the TEMPLATE layer.
 *
 * Errors: `ERR_UNSUPPORTED` for a renderer that nothing stands for.
 */
export function whichTemplate(facts: TemplateFacts): ServingTemplate {
  const prompt = facts.renderer === '' ? promptOf(facts) : renderedPrompt(facts)
  return { prompt, answers: answersOf(facts, prompt) }
}

function renderedPrompt({ renderer, chatTemplate, goTemplate }: TemplateFacts): ServingTemplate['prompt'] {
  const format = builtInFormats.get(renderer)
  if (format !== undefined && chatTemplate !== undefined) return { kind: 'jinja', source: chatTemplate.source }
  if (format?.kind === 'file') return { kind: 'file', file: format.file }
  if (format !== undefined && goTemplate !== undefined) return { kind: 'go', template: goTemplate }
  const reason = format?.kind === 'none' ? format.reason : `there is no renderer of that name`
  throw new LlameroError(
    'ERR_UNSUPPORTED',
    `The model asks for the renderer ${JSON.stringify(renderer)}, which is a part of Ollama: ${reason}. Use weights with a chat template of their own, or make a model from this one with a TEMPLATE.`,
    { details: { renderer } },
  )
}

function promptOf(facts: TemplateFacts): ServingTemplate['prompt'] {
  const { goTemplate, chatTemplate, useGoTemplate } = facts
  const isGo = goTemplate !== undefined && (useGoTemplate ?? !prefersChatTemplate(goTemplate, facts))
  if (isGo) return { kind: 'go', template: goTemplate }
  return chatTemplate === undefined ? { kind: 'default' } : { kind: 'jinja', source: chatTemplate.source }
}

/** Whether the weights' template can do more than the TEMPLATE layer, and loses nothing of it. */
function prefersChatTemplate(goTemplate: GoTemplate, { family, chatTemplate }: TemplateFacts): boolean {
  if (chatTemplate === undefined || isHarmony(family, goTemplate)) return false
  const own: readonly string[] = goTemplateCapabilities(goTemplate)
  const { source, capabilities } = chatTemplate
  if (!own.every((capability) => capabilities.includes(capability))) return false
  const answersTools = own.includes('tools') && rendersToolResults(goTemplate)
  const chatAnswersTools = capabilities.includes('tools') && chatRendersToolResults(source)
  if (capabilities.length > own.length) return chatAnswersTools || !answersTools
  return own.includes('tools') && chatAnswersTools && !answersTools
}

function answersOf(facts: TemplateFacts, prompt: ServingTemplate['prompt']): ServingTemplate['answers'] {
  const { parser, family, goTemplate } = facts
  const isHarmonic = parser === '' && prompt.kind === 'go' && isHarmony(family, goTemplate)
  const format = builtInFormats.get(isHarmonic ? 'harmony' : parser)
  if (format?.kind === 'plain') return { kind: 'plain' }
  // llama.cpp makes the parser from the template that renders, if it is one of its own kind.
  return format?.kind === 'file' && prompt.kind === 'go' ? { kind: 'file', file: format.file } : { kind: 'prompt' }
}

/** The messages of gpt-oss have a format of their own, with channels. */
function isHarmony(family: string, goTemplate: GoTemplate | undefined): boolean {
  const source = goTemplate?.source ?? ''
  return /^gpt-?oss$/.test(family) && source.includes('<|start|>') && source.includes('<|end|>')
}

/** Whether a Jinja template has a place for messages of tools. */
function chatRendersToolResults(source: string): boolean {
  return /(['"])tool\1/.test(source)
}
