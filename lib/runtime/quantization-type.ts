import { LlameroError } from '../errors.js'
import { fileTypes } from '../gguf/index.js'

/** What a name of a type stands for. */
export interface QuantizationType {
  /** As llama.cpp writes it, such as `Q4_K_M`. */
  readonly name: string
  /** Its number in `general.file_type`; none for `COPY`, which changes no tensor. */
  readonly fileType: number | undefined
}

const { MXFP4, NVFP4: _notOffered, ...plain } = fileTypes

/** As llama-quantize takes them. */
const aliases: Readonly<Record<string, string>> = {
  __proto__: null as never,
  Q3_K: 'Q3_K_M',
  Q4_K: 'Q4_K_M',
  Q5_K: 'Q5_K_M',
  MXFP4: 'MXFP4_MOE',
}

const types: ReadonlyMap<string, QuantizationType> = new Map(
  [...Object.entries(plain), ['MXFP4_MOE', MXFP4] as const, ['COPY', undefined] as const].map(([name, fileType]) => [
    name,
    { name, fileType },
  ]),
)

/** The names that {@link quantize} takes as `type`, in any case: all that llama.cpp offers, and `COPY`. */
export const quantizationTypes: readonly string[] = [...types.keys()]

/** Reads the name of a type, in any case. Errors: `ERR_OPTION_INVALID` that lists them. */
export function quantizationType(given: unknown): QuantizationType {
  const name = typeof given === 'string' ? given.toUpperCase() : ''
  const found = types.get(aliases[name] ?? name)
  if (found !== undefined) return found
  const shown = typeof given === 'string' ? JSON.stringify(given.slice(0, 80)) : `a ${typeof given}`
  throw new LlameroError(
    'ERR_OPTION_INVALID',
    `Expected type to be one of ${quantizationTypes.join(', ')} or, for short, ${Object.keys(aliases).join(', ')}; got ${shown}.`,
    { details: { option: 'type', expected: quantizationTypes } },
  )
}
