import { resolve } from 'node:path'
import { printModelfile, type Instruction, type MessageInstruction, type TextInstruction } from '../modelfile/index.js'
import type { Blobs } from './blobs.js'
import { mediaTypes } from './manifest.js'
import type { ModelDetails } from './model-details.js'
import { goNumber, type ModelParameter } from './model-parameters.js'

/**
 * The Modelfile that a model of the store could have been made from, in Ollama's order; weights, adapters and projectors
 * are named by the absolute paths of their blobs. Parameters stay as the model has them, unknown ones too.
 *
 * @param blobs those of the store that the details are from
 * Errors: `ERR_MODELFILE_INVALID` for what no Modelfile can hold, such as a role of a message that Ollama does not know.
 */
export function modelfileOf(blobs: Blobs, details: ModelDetails): string {
  const { displayName, layers } = details
  const pathsOf = (wanted: string) =>
    layers.filter(({ mediaType }) => mediaType === wanted).map(({ digest }) => resolve(blobs.path(digest)))
  const weights = pathsOf(mediaTypes.model)
  // What has no GGUF weights has no file that could be named.
  const isNamed = weights.length === 0
  const instructions: Instruction[] = [
    ...texts('from', isNamed ? [displayName] : weights),
    ...texts('adapter', pathsOf(mediaTypes.adapter)),
    ...texts('draft', pathsOf(mediaTypes.draft)),
    ...texts('from', pathsOf(mediaTypes.projector)),
    ...texts('template', stated(details.template)),
    ...texts('system', stated(details.system)),
    ...texts('renderer', stated(details.renderer)),
    ...texts('parser', stated(details.parser)),
    ...texts('requires', stated(details.requires)),
    ...Object.entries(details.parameters).flatMap(([name, value]) => parameterInstructions(name, value)),
    ...texts('license', details.licenses),
    // The printer refuses roles that no Modelfile can hold.
    ...details.messages.map(({ role, content }): MessageInstruction => ({
      type: 'message',
      role: role as MessageInstruction['role'],
      content,
    })),
  ]
  return printModelfile(instructions, isNamed ? {} : { model: displayName })
}

function texts(type: TextInstruction['type'], values: readonly string[]): TextInstruction[] {
  return values.map((value) => ({ type, value }))
}

function stated(text: string): readonly string[] {
  return text === '' ? [] : [text]
}

function parameterInstructions(name: string, value: ModelParameter): Instruction[] {
  const values = typeof value === 'object' ? value : [value]
  return values.map((one) => ({
    type: 'parameter',
    name,
    value: typeof one === 'number' ? goNumber(one) : String(one),
  }))
}
