import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readGguf } from '../../lib/gguf/index.js'
import type { NativeSampler } from '../../lib/native.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { openRawEngine, type RawEngine } from './raw-engine.js'

const directory = temporaryDirectory()
const prompt = 'hello world'

describe('weights that are no numbers', () => {
  let broken: RawEngine
  beforeAll(async () => {
    const path = await directory.write('nan.gguf', randomModel('llama'))
    const file = await readGguf(path)
    const tensor = file.tensors.find(({ name }) => name === 'output.weight') ?? { offset: 0, sizeBytes: 0 }
    const bytes = Buffer.from(randomModel('llama'))
    bytes.fill(0xff, tensor.offset, tensor.offset + tensor.sizeBytes)
    broken = await openRawEngine(await directory.write('nan.gguf', bytes), { threads: 1 })
  })
  afterAll(() => broken.close())

  const samplers: Partial<NativeSampler>[] = [
    { temperature: 0 },
    { temperature: 1 },
    { temperature: 1, topK: 40, topP: 0.9 },
    { temperature: 1, minP: 0.1 },
    { temperature: 1, mirostat: 1 },
    { temperature: 1, mirostat: 2 },
    { temperature: 0, dryMultiplier: 1 },
    { temperature: 0, grammar: 'root ::= "a"' },
  ]
  it.each(samplers)('end with an error and no crash: %j', async (sampler) => {
    const { finish } = await broken.run(prompt, { sampler, logprobs: 3 })
    expect(finish).toMatchObject({ reason: 'error', errorCode: 'ERR_ENGINE_CRASHED' })
  })
})
