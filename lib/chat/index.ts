export { builtInFormats, type BuiltInFormat } from './built-in-formats.js'
export {
  goTemplateCapabilities,
  parseGoTemplate,
  renderGoTemplate,
  templateLimits,
  thinkingTags,
  toolCallTag,
  type GoConversation,
  type GoMessage,
  type GoTemplate,
  type GoTemplateCapability,
  type GoTool,
  type GoToolCall,
  type ThinkingTags,
} from './go-template/index.js'
export { maxMessages, messageBytes, normalizeMessages, type Message, type Role } from './message.js'
export { renderPrompt, type RenderOptions, type Renderer } from './render.js'
export { describeValue, invalidOption } from './value.js'
export { wellFormed } from './well-formed.js'
export { whichTemplate, type ChatTemplateFacts, type ServingTemplate, type TemplateFacts } from './which-template.js'
