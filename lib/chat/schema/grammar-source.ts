import type { JsonValue } from '../json.js'
import type { Shape, ShapedSchema } from './grammar-shape.js'
import { unsupported } from './json-schema.js'

/** llama.cpp's converter of JSON Schema to GBNF. */
export type SchemaConverter = (schemaJson: string) => string

const maxGrammarBytes = 65_536

/**
 * The GBNF grammar of a shape. llama.cpp's converter writes the rules of objects, arrays, unions and references; where
 * we write a rule ourselves (bounds of numbers, patterns, lengths of strings) it gets a constant, which is then replaced.
 */
export function grammarSource({ root, named }: ShapedSchema, convert: SchemaConverter): string {
  const texts: string[] = []
  const mark = freeMark(JSON.stringify([root, [...named]]))
  const schema = (shape: Shape): JsonValue => {
    switch (shape.kind) {
      case 'any':
        return {}
      case 'type':
        return { type: shape.type }
      case 'values':
        return { enum: [...shape.values] }
      case 'text':
        return { const: `${mark}${texts.push(shape.grammar) - 1}` }
      case 'reference':
        return { $ref: `#/$defs/${mark}${shape.name}` }
      case 'union':
        return { anyOf: shape.options.map(schema) }
      case 'array':
        return {
          type: 'array',
          items: schema(shape.item),
          minItems: shape.min,
          ...(shape.max === undefined ? {} : { maxItems: shape.max }),
        }
      case 'tuple':
        return { type: 'array', prefixItems: shape.items.map(schema) }
      case 'object':
        return {
          type: 'object',
          // fromEntries keeps a property such as __proto__ as data.
          properties: Object.fromEntries(shape.properties.map((property) => [property.name, schema(property.shape)])),
          required: shape.properties.filter(({ required }) => required).map(({ name }) => name),
          additionalProperties: shape.others === undefined ? false : schema(shape.others),
        }
    }
  }
  const rootSchema = schema(root) as { readonly [key: string]: JsonValue }
  const definitions = [...named].map(([name, shape]) => [`${mark}${name}`, schema(shape)] as const)
  const given = { ...rootSchema, $defs: Object.fromEntries(definitions) }
  const grammar = withTexts(withSafeNames(convert(JSON.stringify(given))), mark, texts)
  const bytes = Buffer.byteLength(grammar)
  if (bytes > maxGrammarBytes) {
    throw unsupported('', `its grammar has ${bytes} bytes, ${maxGrammarBytes} are allowed: leave some of it out`)
  }
  return grammar
}

/** A word of letters that occurs nowhere in the schema, so that no rule of its own can be called so. */
function freeMark(text: string): string {
  let mark = 'own'
  while (text.includes(mark)) mark += 'x'
  return mark
}

/** llama.cpp lets a name that is none of the known ones hold a bare backslash or control character. */
function withSafeNames(grammar: string): string {
  return grammar.replace(/^\S*additional-k\d* ::= .*$/gm, (rule) => rule.replaceAll('[^"', '[^"\\\\\\x7F\\x00-\\x1F'))
}

function withTexts(grammar: string, mark: string, texts: readonly string[]): string {
  let text = grammar
  const rules = new Map<string, string>()
  texts.forEach((source, index) => {
    const rule = rules.get(source) ?? `${mark}${index}`
    text = text.replaceAll(`"\\"${mark}${index}\\""`, rule)
    rules.set(source, rule)
  })
  return `${text}${[...rules].map(([source, rule]) => `${rule} ::= ${source}\n`).join('')}`
}
