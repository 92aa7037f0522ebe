/**
 * The throw-away process of the probe: loads the vocabulary, tokenizes and renders fixed texts, then, if weights fit,
 * generates a few tokens or embeds a text. Whatever kills it here would have killed the program.
 */
import { availableParallelism } from 'node:os'
import { LlameroError } from '../errors.js'
import type { MetadataOverrides } from '../gguf/index.js'
import { type ModelSource, openModel, type PromptPart } from '../model/index.js'
import { nativeAddon } from '../native.js'
import { blankPng, silentWav } from './probe-media.js'
import type { ProbeReply, ProbeTask } from './probe.js'

const sample = 'Hello, wörld! 你好 🌍\n\t  123,456.78 <|im_end|> e\u0301'
const decodedTokens = 8
const sampleSizes = [
  [640, 480],
  [1, 1],
  [3, 600],
  [600, 3],
] as const

async function probe({ path, metadataOverrides, weights, mtp, head, projector }: ProbeTask): Promise<ProbeReply> {
  try {
    if (projector !== undefined) {
      await encodeSamples(path, metadataOverrides, projector)
      return { passed: true }
    }
    if (head !== undefined) {
      const draft = { draftPath: head.path, draftMetadataOverrides: head.metadataOverrides }
      await computeSample({ path, metadataOverrides, ...draft }, mtp)
      return { passed: true }
    }
    await tokenizeSample(path, metadataOverrides)
    if (weights) await computeSample({ path, metadataOverrides }, mtp)
    return { passed: true }
  } catch (error) {
    if (error instanceof LlameroError) return { passed: false, code: error.code, message: error.message }
    return { passed: false, code: 'ERR_MODEL_REJECTED', message: String(error) }
  }
}

async function tokenizeSample(path: string, metadataOverrides: MetadataOverrides): Promise<void> {
  const addon = nativeAddon()
  const model = await addon.modelLoad(
    {
      path,
      gpuLayers: 0,
      memoryMap: true,
      vocabularyOnly: true,
      checkTensors: false,
      mtp: false,
      metadataOverrides,
      cancelFlag: addon.createCancelFlag(),
    },
    () => undefined,
  )
  for (const addSpecial of [true, false]) {
    const tokens = await addon.tokenize(model, [{ text: sample, trusted: true }], { addSpecial })
    await addon.detokenize(model, tokens, { removeSpecial: false, renderSpecial: true })
  }
  addon.modelClose(model)
}

async function computeSample(source: ModelSource, mtp: boolean): Promise<void> {
  const proposes = mtp || source.draftPath !== undefined
  const sizes = { contextSize: 256, parallel: 1, threads: 1, gpuLayers: 0 }
  const model = await openModel(source, { ...sizes, mtp, ...(proposes && { rollback: 4 }) })
  try {
    await model.template([{ role: 'user', content: sample }]).catch(ignoreTemplate)
    const speculation = proposes && { adaptive: false }
    if (model.info.canGenerate)
      await model.generate(sample, { maxTokens: decodedTokens, temperature: 0, ignoreEos: true, speculation })
    // A model that generates need not be fit to embed; one that says how its vectors are pooled was made for it.
    if (model.info.canEmbed && (!model.info.canGenerate || model.info.pooling !== undefined))
      await model.embed([sample, sample])
  } finally {
    await model.close()
  }
}

/** Shapes that a projector cuts and scales in different ways, and a second of silence. */
async function encodeSamples(path: string, metadataOverrides: MetadataOverrides, projector: string): Promise<void> {
  const source = { path, metadataOverrides, projector: { path: projector, digest: '' } }
  const model = await openModel(source, { parallel: 1, threads: availableParallelism(), gpuLayers: 0 })
  const run = async (part: PromptPart): Promise<void> => {
    // A text that leaves no room for the medium says nothing about the projector.
    await model.generate([part], { maxTokens: 1, temperature: 0, ignoreEos: true }).then(undefined, ignoreFull)
  }
  try {
    if (model.info.takesImages) {
      for (const [width, height] of sampleSizes) await run({ type: 'image', image: blankPng(width, height) })
    }
    if (model.info.takesAudio) await run({ type: 'audio', audio: silentWav() })
  } finally {
    await model.close()
  }
}

function ignoreFull(error: unknown): void {
  if (!(error instanceof LlameroError) || error.code !== 'ERR_CONTEXT_FULL') throw error
}

/** A template that fails spoils `chat` alone, with its own error there. */
function ignoreTemplate(error: unknown): void {
  if (!(error instanceof LlameroError)) throw error
}

process.once('message', (task: ProbeTask) => {
  void probe(task).then((reply) => process.send?.(reply, () => process.disconnect()))
})
