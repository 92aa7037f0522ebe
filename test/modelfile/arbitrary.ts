import fc from 'fast-check'
import {
  parameters,
  printModelfile,
  type Instruction,
  type ParameterName,
  type Recipe,
} from '../../lib/modelfile/index.js'

/** What values stumble over: quotes, ends of lines, blanks, comments, words of the language, characters of all kinds. */
const pieces =
  '" "" """ """" \' \\ \\n # a 0 END END_ <<END << FROM SYSTEM é 漢 👩‍👩‍👧 \u00a0 \u200b \ufeff \u0001 \u001b[31m \u2028 {{.Prompt}}'
    .split(' ')
    .concat([' ', '  ', '\t', '\n', '\n\n', '\r', '\r\n', '"\n', '"""\n', '""" \r\n', '\nEND\n', 'FROM x\n', '# x\n'])

/** Any text that a file can hold, with the hard ones often. */
export const anyText = fc.oneof(
  { weight: 3, arbitrary: fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((list) => list.join('')) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '')) },
)

/** Objects as anybody writes them. */
const ordinary = { noNullPrototype: true }

const textTypes = ['license', 'template', 'system', 'adapter', 'draft', 'renderer', 'parser', 'requires'] as const

const from = fc.record({ type: fc.constant('from' as const), value: anyText }, ordinary)

const anyInstruction: fc.Arbitrary<Instruction> = fc.oneof(
  from,
  fc.record({ type: fc.constantFrom(...textTypes), value: anyText }, ordinary),
  fc.record(
    { type: fc.constant('parameter' as const), name: fc.stringMatching(/^\w{1,9}$/), value: anyText },
    ordinary,
  ),
  fc.record(
    {
      type: fc.constant('message' as const),
      role: fc.constantFrom('system' as const, 'user' as const, 'assistant' as const),
      content: anyText,
    },
    ordinary,
  ),
)

/** Any list of instructions that makes a Modelfile: one FROM at least, anywhere. */
export const anyInstructions: fc.Arbitrary<Instruction[]> = fc
  .tuple(fc.array(anyInstruction, { maxLength: 6 }), from, fc.array(anyInstruction, { maxLength: 3 }))
  .map(([before, first, after]) => [...before, first, ...after])

/** Texts that are Modelfiles, nearly Modelfiles, or nothing of the kind. */
export const anySource: fc.Arbitrary<string> = fc
  .array(
    fc.constantFrom(
      ...['FROM', 'from', 'System', 'PARAMETER stop', 'PARAMETER', 'MESSAGE user', 'MESSAGE', 'LICENSE', 'word', '#'],
      ...[' ', ' ', ' ', '\t', '\n', '\n', '\r\n', '\r', '"', '"', '""', '"""', '"""', 'a', 'b c', '  '],
    ),
    { maxLength: 24 },
  )
  .map((list) => `FROM x\n${list.join('')}`)

const names = Object.keys(parameters) as ParameterName[]

/** Values that a parameter takes. */
export function valuesOf(name: ParameterName): fc.Arbitrary<unknown> {
  const row = parameters[name]
  switch (row.kind) {
    case 'boolean':
      return fc.boolean()
    case 'strings':
      return fc.array(
        anyText.filter((text) => text !== '' && Buffer.byteLength(text) <= row.maxBytes),
        { minLength: 1 },
      )
    case 'integer': {
      const max = row.max === 'contextSize' ? 2 ** 24 : row.max
      return fc.integer({ min: 'lowIsUnset' in row ? -max : row.min, max })
    }
    case 'number':
      return fc.double({ min: row.min, max: row.max, noNaN: true }).map((value) => value + 0)
  }
}

/** Any recipe that a Modelfile can tell. */
export const anyRecipe = fc.record(
  {
    from: fc.array(
      anyText.filter((text) => text !== ''),
      { minLength: 1, maxLength: 3 },
    ),
    adapter: anyText,
    drafts: fc.array(anyText, { maxLength: 2 }),
    template: anyText,
    system: anyText,
    renderer: anyText,
    parser: anyText,
    requires: fc.constantFrom('v1', '0.14', '1.0.0-rc.1+build'),
    parameters: fc.record(Object.fromEntries(names.map((name) => [name, valuesOf(name)])), {
      requiredKeys: [],
      ...ordinary,
    }),
    licenses: fc.array(anyText, { maxLength: 2 }),
    messages: fc.array(
      fc.record({ role: fc.constantFrom('system', 'user', 'assistant'), content: anyText }, ordinary),
      {
        maxLength: 2,
      },
    ),
    deprecated: fc.constant([]),
  },
  { ...ordinary, requiredKeys: ['from', 'drafts', 'parameters', 'licenses', 'messages', 'deprecated'] },
) as fc.Arbitrary<Recipe>

/** Any bytes, behind a mark of byte order or the beginning of a Modelfile or behind nothing. */
export const anyBytes: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.constantFrom([], [0xff, 0xfe], [0xfe, 0xff], [0xef, 0xbb, 0xbf], [...Buffer.from('FROM m\nSYSTEM ')]),
    fc.uint8Array({ maxLength: 200 }),
  )
  .map(([start, bytes]) => Uint8Array.from([...start, ...bytes]))

/** A Modelfile as it is printed, of which a piece was replaced by another of its pieces. */
export const anyMutant: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    anyInstructions.map((instructions) => printModelfile(instructions)),
    fc.nat(),
    fc.nat(40),
    fc.nat(),
    fc.nat(40),
  )
  .map(([text, at, cut, from, length]) => {
    const bytes = Buffer.from(text)
    const [start, source] = [at % bytes.length, from % bytes.length]
    return Buffer.concat([
      bytes.subarray(0, start),
      bytes.subarray(source, source + length),
      bytes.subarray(start + cut),
    ])
  })
