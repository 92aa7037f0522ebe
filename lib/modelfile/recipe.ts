import { parameters, type Parameter, type ParameterName, type ParameterValues } from '../parameters.js'
import { invalidModelfile, shown } from './fault.js'
import type { Instruction, MessageInstruction, ParameterInstruction, Position, TextInstruction } from './instruction.js'
import { missingFrom } from './parse.js'
import { deprecatedParameters, readParameterText } from './parameter-text.js'

/** A message of the history that every chat begins with. */
export type RecipeMessage = Pick<MessageInstruction, 'role' | 'content'>

/** What a Modelfile comes to, with repeated instructions resolved as Ollama does. */
export interface Recipe {
  /** Names of models, paths of GGUF files or folders, as they are written; at least one. */
  readonly from: readonly string[]
  /** Path of a LoRA adapter, as it is written; the last one counts. */
  readonly adapter?: string
  /** Paths of draft models, as they are written. */
  readonly drafts: readonly string[]
  /** Go template of the prompt; the last one counts. */
  readonly template?: string
  /** System message for chats that bring none; the last one counts. */
  readonly system?: string
  /** Name of a built-in renderer of prompts; the last one counts. */
  readonly renderer?: string
  /** Name of a built-in parser of answers; the last one counts. */
  readonly parser?: string
  /** Least version of Ollama; the last one counts. It is shown, not enforced. */
  readonly requires?: string
  /** Checked and typed; of numbers and booleans the last one counts, the texts of `stop` gather. */
  readonly parameters: ParameterValues
  /** All, in their order. */
  readonly licenses: readonly string[]
  /** All, in their order. */
  readonly messages: readonly RecipeMessage[]
  /** Names of parameters that no longer mean anything and were left out, for a warning; each once. */
  readonly deprecated: readonly string[]
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

/**
 * What a list of instructions comes to. Names, types and ranges of parameters are checked against the table that the
 * options of `load` and `generate` are checked against; paths and names of models are left to whoever opens them.
 *
 * Throws `ERR_MODELFILE_INVALID`, with the place of the instruction if it has one.
 */
export function readRecipe(instructions: Iterable<Instruction & Partial<Position>>): Recipe {
  const from: string[] = []
  const drafts: string[] = []
  const licenses: string[] = []
  const messages: RecipeMessage[] = []
  const last: Writable<Pick<Recipe, 'adapter' | 'template' | 'system' | 'renderer' | 'parser' | 'requires'>> = {}
  const given: (ParameterInstruction & Partial<Position>)[] = []
  for (const instruction of instructions) {
    switch (instruction.type) {
      case 'from':
        if (instruction.value === '')
          throw invalidModelfile('FROM is empty; write the name of a model or a path', instruction)
        from.push(instruction.value)
        break
      case 'draft':
        drafts.push(instruction.value)
        break
      case 'license':
        licenses.push(instruction.value)
        break
      case 'message':
        messages.push({ role: instruction.role, content: instruction.content })
        break
      case 'parameter':
        given.push(instruction)
        break
      case 'requires':
        checkVersion(instruction)
        last.requires = instruction.value
        break
      default:
        last[instruction.type] = instruction.value
    }
  }
  if (from.length === 0) throw missingFrom()
  return { from, ...last, drafts, licenses, messages, ...readParameters(given) }
}

/**
 * The instructions of a recipe in the order in which Ollama shows a model: `FROM`, `ADAPTER`, `DRAFT`, further `FROM`s,
 * `TEMPLATE`, `SYSTEM`, `RENDERER`, `PARSER`, `REQUIRES`, `PARAMETER`s, `LICENSE`s, `MESSAGE`s.
 */
export function recipeInstructions(recipe: Recipe): Instruction[] {
  const [first, ...others] = recipe.from
  const texts: readonly (readonly [TextInstruction['type'], readonly (string | undefined)[]])[] = [
    ['from', [first]],
    ['adapter', [recipe.adapter]],
    ['draft', recipe.drafts],
    ['from', others],
    ['template', [recipe.template]],
    ['system', [recipe.system]],
    ['renderer', [recipe.renderer]],
    ['parser', [recipe.parser]],
    ['requires', [recipe.requires]],
  ]
  return [
    ...texts.flatMap(([type, values]) => textInstructionsOf(type, values)),
    ...parameterNames.flatMap((name) =>
      [recipe.parameters[name] ?? []]
        .flat()
        .map((value) => ({ type: 'parameter', name, value: String(value) }) as const),
    ),
    ...textInstructionsOf('license', recipe.licenses),
    ...recipe.messages.map(({ role, content }) => ({ type: 'message', role, content }) as const),
  ]
}

const parameterNames = Object.keys(parameters) as ParameterName[]

function textInstructionsOf(type: TextInstruction['type'], values: readonly (string | undefined)[]): TextInstruction[] {
  return values.filter((value) => value !== undefined).map((value) => ({ type, value }))
}

function readParameters(
  given: readonly (ParameterInstruction & Partial<Position>)[],
): Pick<Recipe, 'parameters' | 'deprecated'> {
  const values: Record<string, unknown> = {}
  const deprecated = new Set<string>()
  for (const instruction of given) {
    if (deprecatedParameters.includes(instruction.name)) {
      deprecated.add(instruction.name)
      continue
    }
    const read = readParameterText(instruction.name, instruction.value)
    if ('wrong' in read) throw invalidModelfile(read.wrong, instruction)
    const row: Parameter = parameters[read.name]
    if (row.kind !== 'strings') values[read.name] = read.value
    else {
      const list = (values[read.name] ??= []) as unknown[]
      if (list.length === row.maxCount) {
        throw invalidModelfile(`${read.name} may be set up to ${row.maxCount} times; this is one more`, instruction)
      }
      list.push(read.value)
    }
  }
  return { parameters: values, deprecated: [...deprecated] }
}

const core = /^v?(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){0,2}$/
const whole = /^v?(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(.*?))?(?:\+(.*))?$/
const longestVersion = 256

/** Semantic versioning as Go reads it: with or without `v`; without minor and patch only if nothing follows. */
function isVersion(text: string): boolean {
  if (text.length > longestVersion) return false
  if (core.test(text)) return true
  const [matched, before = '0', build = '0'] = whole.exec(text) ?? []
  const isPart = (part: string): boolean => /^[\dA-Za-z-]+$/.test(part)
  return (
    matched !== undefined &&
    before.split('.').every((part) => isPart(part) && !/^0\d+$/.test(part)) &&
    build.split('.').every(isPart)
  )
}

function checkVersion(instruction: TextInstruction & Partial<Position>): void {
  if (isVersion(instruction.value)) return
  const found = `here it is "${shown(instruction.value)}"`
  throw invalidModelfile(`requires must be a valid semver (e.g. 0.14.0); ${found}`, instruction)
}
