import { wellFormed } from '../well-formed.js'
import type { GoConversation, GoMessage, GoTool, GoToolCall } from './conversation.js'
import { jsonText } from './json.js'
import { jsonMap, jsonValue } from './json-value.js'
import { jsonOrEmpty, propertiesValue, textList, textOrNothing } from './tool-property.js'
import {
  anyMap,
  boolValue,
  intValue,
  mapValue,
  stringValue,
  structValue,
  type GoStructType,
  type GoType,
  type Method,
  type GoValue,
} from './value.js'

/** Methods of what prints as JSON. */
const asJson: ReadonlyMap<string, Method> = new Map([['String', jsonText]])

const messageType: GoStructType = {
  name: 'template.templateMessage',
  fields: plainFields('Role', 'Content', 'Thinking', 'Images', 'ToolCalls', 'ToolName', 'ToolCallID'),
}
const callType: GoStructType = { name: 'template.templateToolCall', fields: plainFields('ID', 'Function') }
const calledType: GoStructType = {
  name: 'template.templateToolCallFunction',
  fields: plainFields('Index', 'Name', 'Arguments'),
}
const argumentsType: GoType = { name: 'template.templateArgs', methods: new Map([['String', jsonOrEmpty]]) }
const imageType: GoType = { name: 'api.ImageData', json: () => stringValue('', false) }
const toolsType: GoType = { name: 'template.templateTools', methods: asJson }
const toolType: GoStructType = {
  name: 'template.templateTool',
  methods: asJson,
  fields: [
    { name: 'Type', key: 'type' },
    { name: 'Items', key: 'items', omitEmpty: true },
    { name: 'Function', key: 'function' },
  ],
}
const functionType: GoStructType = {
  name: 'template.templateToolFunction',
  fields: [
    { name: 'Name', key: 'name' },
    { name: 'Description', key: 'description' },
    { name: 'Parameters', key: 'parameters' },
  ],
}
const parametersType: GoStructType = {
  name: 'template.templateToolFunctionParameters',
  fields: [
    { name: 'Type', key: 'type' },
    { name: 'Defs', key: '$defs', omitEmpty: true },
    { name: 'Items', key: 'items', omitEmpty: true },
    { name: 'Required', key: 'required', omitEmpty: true },
    { name: 'Properties', key: 'properties' },
  ],
}

/** Roles that templates write into their special tokens: no text of a user. */
const knownRoles: ReadonlySet<string> = new Set(['system', 'user', 'assistant', 'tool'])

/** The data of a template: a map, so that names it does not have are no error. */
export function dataOf(values: Readonly<Record<string, GoValue>>): GoValue {
  return mapValue(anyMap, Object.entries(values))
}

/** A text of the conversation, which is never trusted. */
export function textValue(text: string): GoValue {
  return stringValue(wellFormed(text), false)
}

/** `Think`, `ThinkLevel` and `IsThinkSet`; a plain yes is a medium level. */
export function thinkValues({ think }: GoConversation): Readonly<Record<string, GoValue>> {
  const level = think === true ? 'medium' : think === false ? '' : (think ?? '')
  return {
    Think: boolValue(think === true || level !== '', false),
    ThinkLevel: textValue(level),
    IsThinkSet: boolValue(think !== undefined, false),
  }
}

/** `Messages`. */
export function messagesValue(messages: readonly GoMessage[]): GoValue {
  return { kind: 'list', type: { name: '[]*template.templateMessage' }, items: messages.map(messageValue) }
}

function messageValue(message: GoMessage, index: number): GoValue {
  const { role, content, thinking = '', toolCalls = [], toolName = '', toolCallId = '', images = 0 } = message
  return structValue(messageType, {
    Role: knownRoles.has(role) ? stringValue(role, true) : textValue(role),
    Content: textValue(content),
    Thinking: textValue(thinking),
    Images: {
      kind: 'list',
      type: { name: '[]api.ImageData' },
      items:
        images === 0 ? undefined : Array.from({ length: images }, () => ({ kind: 'list', type: imageType, items: [] })),
    },
    ToolCalls: {
      kind: 'list',
      type: { name: '[]template.templateToolCall' },
      items:
        toolCalls.length === 0
          ? undefined
          : toolCalls.map((call, order) => callValue(call, order, `messages[${index}].toolCalls[${order}]`)),
    },
    ToolName: textValue(toolName),
    ToolCallID: textValue(toolCallId),
  })
}

function callValue(call: GoToolCall, order: number, path: string): GoValue {
  return structValue(callType, {
    ID: textValue(call.id ?? ''),
    Function: structValue(calledType, {
      Index: intValue(order, true),
      Name: textValue(call.name),
      Arguments: jsonMap(call.arguments, `${path}.arguments`, argumentsType),
    }),
  })
}

/** `Tools`. */
export function toolsValue(tools: readonly GoTool[] = []): GoValue {
  return {
    kind: 'list',
    type: toolsType,
    items: tools.length === 0 ? undefined : tools.map((tool, index) => toolValue(tool, `tools[${index}]`)),
  }
}

function toolValue({ type = 'function', function: called }: GoTool, path: string): GoValue {
  const parameters = called.parameters ?? {}
  const name = `${path}.function.parameters`
  return structValue(toolType, {
    Type: textValue(type),
    Items: jsonValue(undefined, path),
    Function: structValue(functionType, {
      Name: textValue(called.name),
      Description: textValue(called.description ?? ''),
      Parameters: structValue(parametersType, {
        Type: textOrNothing(parameters['type']),
        Defs: jsonValue(parameters['$defs'], name),
        Items: jsonValue(parameters['items'], name),
        Required: textList(parameters['required'], { name: '[]string' }),
        Properties: propertiesValue(parameters, name, 1),
      }),
    }),
  })
}

function plainFields(...names: readonly string[]) {
  return names.map((name) => ({ name, key: name }))
}
