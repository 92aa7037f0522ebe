import { isParameterName, parameters, type Parameter, type ParameterName } from '../parameters.js'
import { shown } from './fault.js'

/** A value of a parameter; those of a kind that gathers are told one by one. */
export type ReadParameter = string | number | boolean

/** Accepted by Ollama and dropped with a warning. */
export const deprecatedParameters: readonly string[] = [
  'penalize_newline',
  'low_vram',
  'f16_kv',
  'logits_all',
  'vocab_only',
  'use_mlock',
  'mirostat',
  'mirostat_tau',
  'mirostat_eta',
]

/** What a text is wrong with, in words that begin with Ollama's. */
interface Wrong {
  readonly wrong: string
}

/** The parameter that a `PARAMETER` sets, and to what; or what is wrong with it. */
export function readParameterText(
  name: string,
  text: string,
): { readonly name: ParameterName; readonly value: ReadParameter } | Wrong {
  if (!isParameterName(name)) {
    return { wrong: `unknown parameter '${shown(name)}'; known are ${Object.keys(parameters).join(', ')}` }
  }
  const row: Parameter = parameters[name]
  switch (row.kind) {
    case 'integer':
    case 'number': {
      const isInteger = row.kind === 'integer'
      const pattern = isInteger ? /^[+-]?\d+$/ : /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i
      const noun = isInteger ? 'int' : 'float'
      if (!pattern.test(text)) return { wrong: `invalid ${noun} value [${shown(text)}] of ${name}` }
      // Without the sign of zero, which JSON does not keep.
      const value = Number(text) + 0
      const most = row.max === 'contextSize' ? parameters.num_ctx.max : row.max
      if ((value >= row.min || row.lowIsUnset === true) && Math.abs(value) <= most) return { name, value }
      const orLess = row.lowIsUnset === true ? `, or less for none` : ''
      return { wrong: `${name} must be from ${row.min} to ${most}${orLess}; here it is ${shown(text)}` }
    }
    case 'boolean':
      if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return { name, value: true }
      if (/^(?:0|f|F|FALSE|false|False)$/.test(text)) return { name, value: false }
      return { wrong: `invalid bool value [${shown(text)}] of ${name}; write true or false` }
    case 'strings':
      if (text !== '' && Buffer.byteLength(text) <= row.maxBytes) return { name, value: text }
      return { wrong: `${name} must be a text of 1 to ${row.maxBytes} bytes; here it has ${Buffer.byteLength(text)}` }
  }
}
