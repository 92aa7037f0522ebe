import { join } from 'node:path'
import { type RandomArchitecture, type RandomModelOptions, writeRandomModel } from './random-model.js'
import { seededRandom } from './seeded-random.js'

/** Four tokens of the tiny vocabularies of {@link headedModels}. */
export const spoken = [100, 101, 102, 103] as const

/**
 * Weights that say these four words alone: all others are equally unlikely. So a random head is right about once in four
 * times, and which times these are depends on everything that it has read; inner states it hears louder than tokens.
 */
export const speaksFourWords: NonNullable<RandomModelOptions['change']> = (tensor) => {
  const { name, dimensions, data } = tensor
  if (data === undefined) return tensor
  if (/hnorm|attn_norm_2/.test(name)) return { ...tensor, data: Float32Array.from(data, (weight) => 8 * weight) }
  if (name !== 'output.weight') return tensor
  const width = Number(dimensions[0])
  const keeps = (index: number): boolean => (spoken as readonly number[]).includes(Math.floor(index / width))
  return { ...tensor, data: Float32Array.from(data, (weight, index) => (keeps(index) ? weight : 0)) }
}

/** A model with a trained head, within its file or in one of its own. */
export const headedModels: readonly (readonly [model: RandomArchitecture, head: 'mtp' | 'eagle3'])[] = [
  ['qwen35', 'mtp'],
  ['glm4moe', 'mtp'],
  ['qwen3', 'eagle3'],
  ['qwen35', 'eagle3'],
]

/** Writes the files of such a model that speaks these words. */
export async function writeHeadedModel(
  directory: string,
  [model, head]: (typeof headedModels)[number],
): Promise<{ path: string; headPath: string | undefined }> {
  const options = { layers: 4, change: speaksFourWords }
  const path = await writeRandomModel(join(directory, `${model}-${head}.gguf`), model, options)
  if (head === 'mtp') return { path, headPath: undefined }
  const headOptions = { ...options, layers: 1, seed: 9 }
  return { path, headPath: await writeRandomModel(join(directory, `${model}-head.gguf`), 'eagle3', headOptions) }
}

/** A text of these words. */
export function spokenText(seed: number, count: number): number[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => spoken[Math.floor(random() * spoken.length)] ?? spoken[0])
}

/** Says them in turns that are hard to foresee. */
export const spokenSampler = {
  biasTokens: Int32Array.from(spoken),
  biasValues: new Float32Array(spoken.length).fill(100),
  frequencyPenalty: 1,
  repeatLastN: 12,
}
