import {
  type ChatPrompt,
  type ChatTemplate,
  GoChatTemplate,
  JinjaTemplate,
  parseGoTemplate,
  type Rendering,
  type ServingTemplate,
  whichTemplate,
} from '../chat/index.js'
import { templateFile } from '../native.js'
import type { OpenedModel } from './open-model.js'

/** What a stored model says of its prompts, beside the template in its weights. */
export interface BroughtTemplate {
  /** Its TEMPLATE layer; '' for none. */
  readonly go: string
  /** The renderer and the parser of Ollama that its config names; '' for none. */
  readonly renderer: string
  readonly parser: string
}

/** Opens the template that serves a model, in Ollama's order. Rejects with `ERR_TEMPLATE` or `ERR_UNSUPPORTED`. */
export async function openServingTemplate(
  opened: OpenedModel,
  brought: BroughtTemplate | undefined,
): Promise<ChatTemplate> {
  const { addon, native, info } = opened
  const open = (source: string): Promise<JinjaTemplate> => JinjaTemplate.open(addon, native, source)
  if (brought === undefined) return open('')
  const goTemplate = brought.go === '' ? undefined : parseGoTemplate(brought.go)
  const own = info.chatTemplate === undefined ? undefined : await open('')
  const { prompt, answers } = whichTemplate({
    ...brought,
    family: info.architecture,
    goTemplate,
    chatTemplate: own && { source: own.source, capabilities: capabilitiesOf(own) },
  })
  const template = await templateOf(prompt, open, own)
  if (answers.kind === 'plain') return withFormat(template, async (prompted) => ({ ...prompted, format: undefined }))
  if (answers.kind === 'prompt') return template
  const reader = await open(await templateFile(answers.file))
  return withFormat(template, async (prompted, rendering) => {
    const { format, grammar, preservedTokens, stops, thinking } = await reader.render(rendering)
    return { ...prompted, format, grammar, preservedTokens, stops, thinking }
  })
}

async function templateOf(
  prompt: ServingTemplate['prompt'],
  open: (source: string) => Promise<ChatTemplate>,
  own: ChatTemplate | undefined,
): Promise<ChatTemplate> {
  if (prompt.kind === 'go') return new GoChatTemplate(prompt.template)
  if (prompt.kind === 'file') return open(await templateFile(prompt.file))
  return own ?? open('')
}

function capabilitiesOf({ supportsTools, supportsThinking }: ChatTemplate): string[] {
  return [...(supportsTools ? ['tools'] : []), ...(supportsThinking ? ['thinking'] : [])]
}

/** A template whose prompts are as before, and whose answers are read otherwise. */
function withFormat(
  template: ChatTemplate,
  change: (prompt: ChatPrompt, rendering: Rendering) => Promise<ChatPrompt>,
): ChatTemplate {
  const { source, supportsTools, supportsThinking, bindsTools } = template
  return {
    source,
    supportsTools,
    supportsThinking,
    bindsTools,
    render: async (rendering) => change(await template.render(rendering), rendering),
  }
}
