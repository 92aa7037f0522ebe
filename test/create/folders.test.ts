import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { convert } from '../../lib/convert/index.js'
import { create, type CreateOptions } from '../../lib/create/index.js'
import { digestOf, mediaTypes, Store } from '../../lib/store/index.js'
import { randomTensor, safetensors, tinySource, tinyTensors } from '../convert/tiny-source.js'
import { expectClean } from '../store/clean-store.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const temporary = temporaryDirectory()
const newStore = () => new Store({ directory: mkdtempSync(join(temporary.path, 'models-')) })

async function make(store: Store, modelfile: string, options: CreateOptions = {}) {
  const creation = create(store, 'm', modelfile, { directory: temporary.path, probe: false, ...options })
  const statuses = new Set<string>()
  for await (const { status } of creation) statuses.add(status)
  await creation
  return { ...(await store.show('m')), statuses: [...statuses] }
}

/** A LoRA over one matrix of the tiny model, as PEFT lays it out. */
function adapterFolder(): Promise<string> {
  const [outputs = 0, inputs = 0] = tinyTensors()['model.layers.0.self_attn.q_proj.weight']?.shape ?? []
  const half = (letter: string) => `base_model.model.model.layers.0.self_attn.q_proj.lora_${letter}.weight`
  return tinySource(temporary.path, {
    'config.json': undefined,
    'tokenizer.json': undefined,
    'model.safetensors': undefined,
    'adapter_config.json': { peft_type: 'LORA', r: 2, lora_alpha: 6, bias: 'none', use_dora: false },
    'adapter_model.safetensors': safetensors({
      [half('A')]: randomTensor([2, inputs], 1),
      [half('B')]: randomTensor([outputs, 2], 2),
    }),
  })
}

describe('a model made from a folder of safetensors', () => {
  it('has what convert makes of it, and leaves nothing else', async () => {
    const folder = await tinySource(temporary.path)
    const expected = join(temporary.path, 'expected.gguf')
    await convert(folder, expected)
    const store = newStore()
    const made = await make(store, `FROM ${folder}\nSYSTEM Terse.`)
    const weights = made.layers.find(({ mediaType }) => mediaType === mediaTypes.model)
    expect(weights?.digest).toBe(digestOf(readFileSync(expected)))
    expect(made).toMatchObject({ family: 'llama', system: 'Terse.' })
    expect(made.statuses).toContain('converting model')
    expect(readdirSync(join(store.directory, 'ingest'))).toEqual([])
    await expectClean(store)
  })

  it('is quantized on the way', async () => {
    const made = await make(newStore(), `FROM ${await tinySource(temporary.path)}`, { quantize: 'q8_0' })
    expect(made.quantization).toBe('Q8_0')
    expect(made.statuses.some((status) => /^quantizing F\d\d model to Q8_0$/.test(status))).toBe(true)
  })

  it('takes an adapter in a folder of its own, also over a model of the store', async () => {
    const folder = await tinySource(temporary.path)
    const adapter = await adapterFolder()
    const store = newStore()
    const made = await make(store, `FROM ${folder}\nADAPTER ${adapter}`)
    const kinds = made.layers.map(({ mediaType }) => mediaType.split('.').at(-1))
    expect(kinds.slice(0, 2)).toEqual(['model', 'adapter'])
    expect(made.statuses).toContain('converting adapter')
    await make(store, `FROM ${folder}`)
    const over = await make(store, `FROM m\nADAPTER ${adapter}`)
    const adapterOf = (model: typeof made) => model.layers.find(({ mediaType }) => mediaType === mediaTypes.adapter)
    expect(adapterOf(over)?.digest).toBe(adapterOf(made)?.digest)
  })

  it('is refused whole: a damaged folder, one file of it, an adapter as a model', async () => {
    const folder = await tinySource(temporary.path)
    const damaged = await tinySource(temporary.path, { 'model.safetensors': Buffer.alloc(100) })
    const store = newStore()
    await expect(make(store, `FROM ${damaged}`)).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' })
    await expect(make(store, `FROM ${folder}/model.safetensors`)).rejects.toMatchObject({
      code: 'ERR_MODELFILE_INVALID',
      message: expect.stringMatching(/name the folder/) as string,
    })
    await expect(make(store, `FROM ${await adapterFolder()}`)).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' })
    expect((await store.list()).models).toEqual([])
    expect(readdirSync(store.directory).includes('ingest') ? readdirSync(join(store.directory, 'ingest')) : []).toEqual(
      [],
    )
  })
})
