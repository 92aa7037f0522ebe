export { maxMessages, messageBytes, normalizeMessages, type Message, type Role } from './message.js'
export { renderPrompt, type RenderOptions, type Renderer } from './render.js'
export { describeValue, invalidOption } from './value.js'
export { wellFormed } from './well-formed.js'
