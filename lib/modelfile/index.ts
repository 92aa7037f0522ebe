export {
  isParameterName,
  parameterOptions,
  parameters,
  type BooleanParameter,
  type NumberParameter,
  type OptionsOfParameters,
  type Parameter,
  type ParameterName,
  type ParameterOptions,
  type ParameterValue,
  type ParameterValues,
  type StringsParameter,
} from '../parameters.js'
export type {
  Instruction,
  MessageInstruction,
  ParameterInstruction,
  ParsedInstruction,
  Position,
  TextInstruction,
} from './instruction.js'
export { parseModelfile } from './parse.js'
export { printModelfile, type PrintModelfileOptions } from './print.js'
export { readRecipe, recipeInstructions, type Recipe, type RecipeMessage } from './recipe.js'
