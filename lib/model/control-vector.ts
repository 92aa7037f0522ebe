import { invalidOption } from '../chat/index.js'

/** A control vector as numbers. */
export interface ControlVectorData {
  /**
   * What is added to the state that leaves a layer, by layer: 1 to the number of layers less 1, each as many finite
   * numbers as `info.embeddingSize`. Layers that are left out stay as they are.
   */
  readonly directions: ReadonlyMap<number, ArrayLike<number>> | Readonly<Record<number, ArrayLike<number>>>
}

/** The directions of all layers after the first one after another, as llama.cpp takes them; zeros where none is given. */
export function layerDirections(
  data: ControlVectorData,
  { layers, embeddingSize }: { readonly layers: number; readonly embeddingSize: number },
): Float32Array {
  const { directions } = data as { readonly directions?: unknown }
  const expected = `a Map or object from layers to numbers`
  if (typeof directions !== 'object' || directions === null) throw invalidOption('directions', expected, directions)
  const entries: readonly (readonly [unknown, unknown])[] =
    directions instanceof Map ? [...(directions as Map<unknown, unknown>)] : Object.entries(directions)
  if (layers < 2) throw invalidOption('directions', 'for a model of two layers or more', directions)
  if (entries.length === 0) throw invalidOption('directions', `${expected}, at least one`, directions)
  const all = new Float32Array((layers - 1) * embeddingSize)
  for (const [key, values] of entries) {
    const layer = typeof key === 'string' && /^\d{1,4}$/.test(key) ? Number(key) : key
    if (typeof layer !== 'number' || !Number.isInteger(layer) || layer < 1 || layer >= layers) {
      throw invalidOption('directions', `keyed by layers from 1 to ${layers - 1}`, key)
    }
    all.set(checkedNumbers(values, `directions[${layer}]`, embeddingSize), (layer - 1) * embeddingSize)
  }
  return all
}

function checkedNumbers(values: unknown, name: string, size: number): ArrayLike<number> {
  const list = values as ArrayLike<unknown> | null | undefined
  const numbers = Array.isArray(list) || list instanceof Float32Array || list instanceof Float64Array
  const all: readonly unknown[] = numbers ? Array.from(list as ArrayLike<unknown>) : []
  if (all.length !== size || !all.every((value) => typeof value === 'number' && Number.isFinite(Math.fround(value)))) {
    throw invalidOption(name, `${size} finite numbers`, values)
  }
  return all as readonly number[]
}
