import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openModel, type PromptPart } from '../../lib/model/index.js'
import { hasPeer, peerPath } from '../support/peer-tool.js'
import { writeRandomModel, type RandomArchitecture } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { tinyPng, tinyWav } from '../support/tiny-media.js'
import { tinyProjector, type TinyProjector } from '../support/tiny-projector.js'

const directory = temporaryDirectory()
const before = 'Look here: '
const after = ' What is this?'
const alternatives = 20

interface Sample {
  readonly part: PromptPart
  readonly path: string
}

async function sample(projector: TinyProjector): Promise<Sample> {
  const sound = projector === 'ultravox'
  const path = join(directory.path, sound ? 'tone.wav' : 'noise.png')
  await writeFile(path, sound ? tinyWav() : tinyPng({ width: 96, height: 64, seed: 5 }))
  return { part: sound ? { type: 'audio', audio: path } : { type: 'image', image: path }, path }
}

/** Log probabilities of the next token, by llama.cpp's own helpers. */
function reference(model: string, projector: string, file: string): number[] {
  const text = execFileSync(peerPath('media-check'), [model, projector, before, file, after], { encoding: 'utf8' })
  const logits = text.trim().split(' ').map(Number)
  const sum = Math.log(logits.reduce((total, logit) => total + Math.exp(logit), 0))
  return logits.map((logit) => logit - sum)
}

describe.skipIf(!hasPeer('media-check'))("what is computed behind media is what llama.cpp's helpers compute", () => {
  const cases: readonly [RandomArchitecture, TinyProjector][] = [
    ['llama', 'janus_pro'],
    ['llama', 'gemma3'],
    ['gemma3', 'gemma3'],
    ['qwen2vl', 'qwen2vl_merger'],
    ['lfm2', 'janus_pro'],
    ['llama', 'ultravox'],
  ]
  it.each(cases)('%s with %s', async (architecture, kind) => {
    const path = await writeRandomModel(join(directory.path, `${architecture}-model.gguf`), architecture)
    const projector = join(directory.path, `${kind}.gguf`)
    await writeFile(projector, tinyProjector(kind))
    const { part, path: file } = await sample(kind)
    const expected = reference(path, projector, file)
    const source = { path, projector: { path: projector, digest: kind } }
    const model = await openModel(source, { contextSize: 1024, parallel: 2, kernels: 'upstream' })
    try {
      const prompt: PromptPart[] = [{ type: 'text', text: before }, part, { type: 'text', text: after }]
      const { logprobs } = await model.generate(prompt, { maxTokens: 1, temperature: 0, logprobs: alternatives })
      const top = logprobs?.[0] ?? []
      expect(top).toHaveLength(alternatives + 1)
      for (const { token, logprob } of top) expect(logprob).toBeCloseTo(expected[token] ?? NaN, 2)
      const other = await model.generate([{ type: 'text', text: before + after }], {
        maxTokens: 1,
        temperature: 0,
        logprobs: alternatives,
      })
      const distance = Math.max(
        ...(other.logprobs?.[0] ?? []).map(({ token, logprob }) => Math.abs(logprob - (expected[token] ?? NaN))),
      )
      expect(distance).toBeGreaterThan(0.02) // it matters what was shown
    } finally {
      await model.close()
    }
  })
})
