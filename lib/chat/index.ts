export { maxMessages, messageBytes, normalizeMessages, type Message, type Role } from './message.js'
export { renderPrompt, type RenderOptions, type Renderer } from './render.js'
export {
  PartialJson,
  prepareJson,
  prepareSchema,
  type AnswerReader,
  type GivenSchema,
  type OutputFault,
  type PlainSchema,
  type PreparedSchema,
  type RelaxedKeyword,
  type SchemaConverter,
  type StandardIssue,
  type StandardResult,
  type StandardSchema,
} from './schema/index.js'
export { describeValue, invalidOption } from './value.js'
export { wellFormed } from './well-formed.js'
