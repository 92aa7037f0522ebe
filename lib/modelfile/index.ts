export {
  isParameterName,
  parameterOptions,
  parameters,
  type Parameter,
  type ParameterName,
  type ParameterOptions,
  type ParameterValues,
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
