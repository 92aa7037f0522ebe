export type { AnswerFormat, ChatPrompt, ChatTemplate, Rendering } from './chat-template.js'
export { noGrammar, plainRendering } from './chat-template.js'
export {
  contentText,
  normalizeParts,
  storableContent,
  type AudioContent,
  type ContentPart,
  type ImageContent,
  type TextContent,
} from './content.js'
export { renderWithGenericTools } from './generic-tools.js'
export { GoChatTemplate } from './go-chat-template.js'
export { JinjaTemplate } from './jinja-template.js'
export { jsonValue, parseObject, type JsonObject, type JsonValue } from './json.js'
export { checkAudio, checkImage, fromBase64, mediaMarker, readMedia, splitAtMarker } from './media/index.js'
export type { ImageSize, MediaFile, MediaKind, MediaSource } from './media/index.js'
export { maxMessages, messageBytes, messageTexts, normalizeMessages, type Message, type Role } from './message.js'
export { checkReasoning, type ReasoningLevel, type ReasoningOptions, type ReasoningValues } from './reasoning.js'
export { PartialJson, prepareJson, type PreparedSchema, prepareSchema, type SchemaConverter } from './schema/index.js'
export { relaxedWarnings } from './relaxed-warnings.js'
export type { Schema, SchemaOutput } from './schema-output.js'
export {
  checkToolChoice,
  checkTools,
  describeTools,
  tool,
  type CheckedTool,
  type Tool,
  type ToolArguments,
  type ToolChoice,
  type ToolContext,
  type Tools,
} from './tool.js'
export { newCallId, type ToolCall } from './tool-call.js'
export { outcomeMessage, runTool, type ToolOutcome } from './tool-run.js'
export { describeValue, invalidOption, unknownField } from './value.js'
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
export { wellFormed } from './well-formed.js'
export { whichTemplate, type ChatTemplateFacts, type ServingTemplate, type TemplateFacts } from './which-template.js'
