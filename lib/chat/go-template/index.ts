export type { GoConversation, GoMessage, GoTool, GoToolCall } from './conversation.js'
export {
  goTemplateCapabilities,
  rendersToolResults,
  thinkingTags,
  toolCallTag,
  type GoTemplateCapability,
  type ThinkingTags,
} from './inference.js'
export { templateLimits } from './limits.js'
export { renderGoTemplate } from './render.js'
export { parseGoTemplate, type GoTemplate } from './template.js'
