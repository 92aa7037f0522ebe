import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openModel, type Model, type ModelOptions, type PromptPart } from '../../lib/model/index.js'
import { scriptedWidth } from './scripted-model.js'
import { writeRandomModel, type RandomArchitecture } from './random-model.js'
import { tinyPng, tinyWav, type TinyPngOptions } from './tiny-media.js'
import { tinyProjector, type TinyProjector, type TinyProjectorOptions } from './tiny-projector.js'

/** A tiny model and its projector; every pair computes positions, attention or media in its own way. */
export type MediaPair = readonly [model: RandomArchitecture, projector: TinyProjector]

export const mediaPairs: readonly MediaPair[] = [
  ['llama', 'janus_pro'],
  ['llama', 'gemma3'],
  ['gemma3', 'gemma3'],
  ['qwen2vl', 'qwen2vl_merger'],
  ['lfm2', 'janus_pro'],
  ['llama', 'ultravox'],
]

/** Writes the files of a pair into a folder. */
export async function writePair(
  directory: string,
  [architecture, kind]: MediaPair,
  projectorOptions: TinyProjectorOptions = {},
): Promise<{ path: string; projector: { path: string; digest: string } }> {
  const path = await writeRandomModel(join(directory, `${architecture}-model.gguf`), architecture)
  const projector = join(directory, `${kind}-projector.gguf`)
  await writeFile(projector, tinyProjector(kind, projectorOptions))
  return { path, projector: { path: projector, digest: kind } }
}

/** Writes a projector and an image for the scripted model at `path`, as the programs of teardown expect them beside it. */
export async function writeMediaBeside(path: string): Promise<void> {
  await writeFile(`${path}.mmproj`, tinyProjector('janus_pro', { textWidth: scriptedWidth, imageSize: 128 }))
  await writeFile(`${path}.png`, tinyPng({ width: 400, height: 300, seed: 1 }))
}

/** Runs `use` with an open model of a pair and closes it. */
export async function withPair(
  directory: string,
  pair: MediaPair,
  options: ModelOptions,
  use: (model: Model) => Promise<void>,
): Promise<void> {
  const model = await openModel(await writePair(directory, pair), { contextSize: 1024, parallel: 4, ...options })
  try {
    await use(model)
  } finally {
    await model.close()
  }
}

export const imagePart = (options: TinyPngOptions = { seed: 1 }): PromptPart => ({
  type: 'image',
  image: tinyPng({ width: 96, height: 64, ...options }),
})

export const audioPart = (hertz = 440): PromptPart => ({ type: 'audio', audio: tinyWav({ hertz }) })

export const textPart = (text: string): PromptPart => ({ type: 'text', text })

/** The medium that a pair takes, another one for another seed. */
export function mediumOf([, kind]: MediaPair, seed: number): PromptPart {
  return kind === 'ultravox' ? audioPart(200 * seed) : imagePart({ seed })
}
