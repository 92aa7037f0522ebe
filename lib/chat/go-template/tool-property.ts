import { wellFormed } from '../well-formed.js'
import type { Fuel } from './fuel.js'
import { jsonText } from './json.js'
import { jsonValue } from './json-value.js'
import {
  mapValue,
  missing,
  nil,
  stringValue,
  structValue,
  type GoMap,
  type GoStruct,
  type GoStructType,
  type GoType,
  type GoValue,
} from './value.js'

/** The types in a property's schema: one prints as itself, and is one in JSON too. */
const typeList: GoType = {
  name: 'api.PropertyType',
  methods: new Map([
    [
      'String',
      (value: GoValue) => {
        const texts = textsOf(value)
        return texts.length > 1 ? `[${texts.join(' ')}]` : (texts[0] ?? '')
      },
    ],
  ]),
  json: (value) => (value.kind === 'list' && value.items?.length === 1 ? value.items[0] : undefined),
}

/** A property of a tool's parameters. */
const propertyType: GoStructType = {
  name: 'api.ToolProperty',
  methods: new Map([['ToTypeScriptType', typeScriptType]]),
  fields: [
    { name: 'AnyOf', key: 'anyOf', omitEmpty: true },
    { name: 'Type', key: 'type', omitEmpty: true },
    { name: 'Items', key: 'items', omitEmpty: true },
    { name: 'Description', key: 'description', omitEmpty: true },
    { name: 'Enum', key: 'enum', omitEmpty: true },
    { name: 'Properties', key: 'properties', omitEmpty: true },
    { name: 'Required', key: 'required', omitEmpty: true },
  ],
}

/** Properties by their names; they print as JSON. */
const propertiesType: GoType = { name: 'template.templateProperties', methods: new Map([['String', jsonOrEmpty]]) }

/** What a name that is no property gives: a property without anything. */
const noProperty: GoValue = propertyOf(undefined, '', 0)

/**
 * The properties of a schema, in alphabetical order; nothing else of it is read than what Ollama reads. As JSON, those
 * of properties keep their own order, as in Ollama.
 */
export function propertiesValue(schema: unknown, name: string, depth = 0): GoMap {
  const properties = recordOf(recordOf(schema)?.['properties'])
  if (properties === undefined) return { kind: 'map', type: propertiesType, entries: undefined, zero: noProperty }
  const entries = Object.entries(properties).map(
    ([key, property]) => [wellFormed(key), propertyOf(property, name, depth + 1)] as const,
  )
  const inOrder = mapValue(propertiesType, entries, noProperty)
  if (depth <= 1) return inOrder
  const asWritten: GoMap = { ...inOrder, type: { name: propertiesType.name }, entries: new Map(entries) }
  return { ...inOrder, type: { ...propertiesType, json: () => asWritten } }
}

/** The TypeScript type of a property, as Ollama writes it. */
export function typeScriptType(value: GoValue, fuel: Fuel): string {
  fuel.spend(1)
  if (value.kind !== 'struct' || value.type !== propertyType) return 'any'
  const { values } = value
  const choices = values.get('AnyOf')
  if (choices?.kind === 'list' && choices.items?.length)
    return choices.items.map((choice) => typeScriptType(choice, fuel)).join(' | ')
  const types = textsOf(values.get('Type') ?? missing)
  fuel.spend(types.length)
  return types.length === 0 ? 'any' : types.map((type) => typeScriptNames.get(type) ?? 'any').join(' | ')
}

const typeScriptNames: ReadonlyMap<string, string> = new Map([
  ['string', 'string'],
  ['number', 'number'],
  ['integer', 'number'],
  ['boolean', 'boolean'],
  ['array', 'any[]'],
  ['object', 'Record<string, any>'],
  ['null', 'null'],
])

/** The texts of a list in JSON; undefined for what is none. */
export function textList(value: unknown, type: GoType): GoValue {
  const texts = Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined
  return { kind: 'list', type, items: texts?.map((text) => stringValue(wellFormed(text), false)) }
}

/** An object with keys; undefined for anything else. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined
}

/** The text in JSON; '' for what is none. */
export function textOrNothing(value: unknown): GoValue {
  return stringValue(typeof value === 'string' ? wellFormed(value) : '', false)
}

/** How maps of tools and arguments print. */
export function jsonOrEmpty(value: GoValue, fuel: Fuel): string {
  return value.kind === 'map' && value.entries === undefined ? '{}' : jsonText(value, fuel)
}

function propertyOf(schema: unknown, name: string, depth: number): GoStruct {
  const { anyOf, type, items, description, enum: values, required } = recordOf(schema) ?? {}
  // Read first: it refuses what has too many levels, such as a schema that holds itself.
  const inner = jsonValue(items, name, depth)
  return structValue(propertyType, {
    AnyOf: {
      kind: 'list',
      type: { name: '[]api.ToolProperty' },
      items: Array.isArray(anyOf) ? anyOf.map((choice) => propertyOf(choice, name, depth + 1)) : undefined,
    },
    Type: textList(typeof type === 'string' ? [type] : type, typeList),
    Items: inner,
    Description: textOrNothing(description),
    Enum: Array.isArray(values)
      ? jsonValue(values, name, depth)
      : { kind: 'list', type: { name: '[]interface {}' }, items: undefined },
    Properties: depth === 0 ? nil : propertiesValue(schema, name, depth),
    Required: textList(required, { name: '[]string' }),
  })
}

function textsOf(value: GoValue): readonly string[] {
  if (value.kind !== 'list') return []
  return (value.items ?? []).flatMap((item) => (item.kind === 'string' ? [item.text] : []))
}
