import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { create, type CreateOptions } from '../../lib/create/index.js'
import { quantize } from '../../lib/runtime/index.js'
import { digestOf, mediaTypes, Store, type ModelDetails } from '../../lib/store/index.js'
import { expectClean } from '../store/clean-store.js'
import { text, writeGguf } from '../support/gguf-writer.js'
import { hasPeer, runPeer } from '../support/peer-tool.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { loraFile, tinyLora } from '../support/tiny-lora.js'

const temporary = temporaryDirectory()
const weights = randomModel('llama', { metadata: { 'tokenizer.chat_template': undefined } })
const otherWeights = randomModel('qwen2', { metadata: { 'tokenizer.chat_template': undefined } })
const adapter = loraFile(tinyLora({ 'blk.0.attn_q.weight': [64, 64] }))
const projector = writeGguf({
  metadata: { 'general.architecture': text('clip'), 'general.type': text('mmproj') },
  tensors: [],
})

/** A folder with every kind of file, and an empty store. */
function workshop(): { readonly directory: string; readonly store: Store } {
  const root = mkdtempSync(join(temporary.path, 'create-'))
  const directory = join(root, 'work')
  mkdirSync(join(directory, 'folder'), { recursive: true })
  const files: Readonly<Record<string, Uint8Array | string>> = {
    'weights.gguf': weights,
    'other.gguf': otherWeights,
    'adapter.gguf': adapter,
    'mmproj.gguf': projector,
    'folder/model.gguf': weights,
    'folder/mmproj.gguf': projector,
    'folder/.hidden.gguf': 'not one',
    'pointer.gguf': 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n',
    'broken.gguf': weights.subarray(0, 1000),
    'letter.gguf': 'Dear reader',
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content)
  return { directory, store: new Store({ directory: join(root, 'models') }) }
}

/** A model that its own converter made: the probe is not needed. */
const quantized = async (directory: string, type: string) => {
  const target = join(directory, `${type}.gguf`)
  await quantize(join(directory, 'weights.gguf'), target, { type, probe: false })
  return digestOf(readFileSync(target))
}

type Made = ModelDetails & { readonly statuses: readonly string[] }

async function make(
  { directory, store }: ReturnType<typeof workshop>,
  name: string,
  modelfile: string,
  options: CreateOptions = {},
): Promise<Made> {
  const creation = create(store, name, modelfile, { directory, probe: false, ...options })
  const statuses: string[] = []
  for await (const { status } of creation) if (statuses.at(-1) !== status) statuses.push(status)
  await creation
  return { ...(await store.show(name)), statuses }
}

const kindsOf = ({ layers }: ModelDetails) => layers.map(({ mediaType }) => mediaType.split('.').at(-1))
const layerOf = ({ layers }: ModelDetails, mediaType: string) => layers.find((layer) => layer.mediaType === mediaType)

describe('a model made from files', () => {
  it('has the file itself, byte for byte, and what the Modelfile says', async () => {
    const shop = workshop()
    const made = await make(
      shop,
      'mine',
      `FROM ./weights.gguf
TEMPLATE {{ .System }} {{ .Prompt }}
SYSTEM You are terse.
PARAMETER temperature 0.5
PARAMETER stop one
PARAMETER stop "two "
LICENSE First.
LICENSE Second.
MESSAGE user Hello
MESSAGE assistant Hi.
RENDERER qwen3-coder
PARSER qwen3
REQUIRES 0.14.0
`,
    )
    expect(layerOf(made, mediaTypes.model)?.digest).toBe(digestOf(weights))
    expect(made).toMatchObject({
      displayName: 'mine:latest',
      family: 'llama',
      template: '{{ .System }} {{ .Prompt }}',
      system: 'You are terse.',
      parameters: { temperature: 0.5, stop: ['one', 'two '] },
      licenses: ['First.', 'Second.'],
      messages: [
        { role: 'user', content: 'Hello' },
        { role: 'assistant', content: 'Hi.' },
      ],
      renderer: 'qwen3-coder',
      parser: 'qwen3',
      requires: '0.14.0',
    })
    expect(kindsOf(made)).toEqual(['model', 'template', 'system', 'params', 'messages', 'license', 'license'])
    expect(made.statuses).toEqual([
      'gathering model components',
      'copying file',
      ...made.layers.map(({ digest }) => `creating new layer ${digest}`),
      'writing manifest',
      'success',
    ])
    await expectClean(shop.store)
  })

  it('takes projectors and adapters for what they are, wherever they are named', async () => {
    const made = await make(workshop(), 'seeing', 'FROM weights.gguf\nFROM ./mmproj.gguf\nFROM adapter.gguf')
    expect(kindsOf(made)).toEqual(['model', 'adapter', 'projector'])
    const same = await make(workshop(), 'seeing', 'FROM mmproj.gguf\nADAPTER ./adapter.gguf\nFROM weights.gguf')
    expect(same.manifestDigest).toBe(made.manifestDigest)
  })

  it('takes the GGUF files of a folder', async () => {
    expect(kindsOf(await make(workshop(), 'seeing', 'FROM ./folder'))).toEqual(['model', 'projector'])
  })

  const chatml =
    "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>'}}{% endfor %}"
  const zephyr = "{% for m in messages %}{{ '<|user|>\n' + m['content'] + eos_token }}{% endfor %}{{ '<|assistant|>' }}"
  it.each([
    ['chatml', chatml, ['<|im_start|>', '<|im_end|>']],
    ['zephyr', zephyr, ['<|system|>', '</s>', '<|user|>', '<|assistant|>']],
    [undefined, `${chatml}{% if tools %}{{ tools }}{% endif %}`, undefined],
    [undefined, '{{ messages }}', undefined],
  ])('has the template %s where its own is of that form', async (name, own, stop) => {
    const shop = workshop()
    writeFileSync(
      join(shop.directory, 'own.gguf'),
      randomModel('llama', { metadata: { 'tokenizer.chat_template': text(own) } }),
    )
    const made = await make(shop, 'mine', 'FROM own.gguf\nPARAMETER seed 1')
    expect(made.statuses.filter((status) => status.startsWith('using auto'))).toEqual(
      name === undefined ? [] : [`using autodetected template ${name}`],
    )
    expect(made.parameters).toEqual({ ...(stop && { stop }), seed: 1 })
    expect(made.template === '').toBe(name === undefined)
    const said = await make(shop, 'said', 'FROM own.gguf\nTEMPLATE mine')
    expect(said).toMatchObject({ template: 'mine', parameters: {} })
  })

  it('leaves parameters of old out, and says so', async () => {
    const made = await make(workshop(), 'mine', 'FROM weights.gguf\nPARAMETER mirostat 2\nPARAMETER top_k 3\n')
    expect(made.parameters).toEqual({ top_k: 3 })
    expect(made.statuses[0]).toBe('warning: parameter mirostat is deprecated')
  })

  it('has its draft model', async () => {
    expect(kindsOf(await make(workshop(), 'fast', 'FROM weights.gguf\nDRAFT other.gguf'))).toEqual(['model', 'draft'])
  })
})

describe('a model made from another', () => {
  const base = `FROM weights.gguf
TEMPLATE old
SYSTEM Old.
PARAMETER temperature 0.5
PARAMETER top_k 7
LICENSE Base.
MESSAGE user Old?
RENDERER r
PARSER p
`

  it('inherits everything, and shares its files', async () => {
    const shop = workshop()
    const parent = await make(shop, 'parent', base)
    const blobs = readdirSync(join(shop.store.directory, 'blobs'))
    const made = await make(shop, 'ns/child:2', 'FROM parent')
    expect(made).toMatchObject({
      template: 'old',
      system: 'Old.',
      parameters: parent.parameters,
      parentModel: 'parent:latest',
    })
    expect(made.layers).toEqual(parent.layers.map((layer) => ({ ...layer, from: 'parent:latest' })))
    expect(readdirSync(join(shop.store.directory, 'blobs'))).toEqual(blobs)
    expect(made.statuses).toContain(`using existing layer ${digestOf(weights)}`)
  })

  it('replaces what the Modelfile names, merges parameters, and adds licenses', async () => {
    const shop = workshop()
    await make(shop, 'parent', base)
    const made = await make(
      shop,
      'child',
      'FROM parent\nTEMPLATE new\nSYSTEM New.\nPARAMETER top_k 9\nPARAMETER seed 1\nLICENSE Mine.\nMESSAGE user New?\nPARSER q\nADAPTER adapter.gguf\nFROM mmproj.gguf',
    )
    expect(made).toMatchObject({
      template: 'new',
      system: 'New.',
      parameters: { temperature: 0.5, top_k: 9, seed: 1 },
      licenses: ['Base.', 'Mine.'],
      messages: [{ role: 'user', content: 'New?' }],
      renderer: 'r',
      parser: 'q',
    })
    expect(kindsOf(made)).toEqual([
      'model',
      'license',
      'adapter',
      'projector',
      'template',
      'system',
      'params',
      'messages',
      'license',
    ])
  })

  it('outlives its base, and may take its name', async () => {
    const shop = workshop()
    await make(shop, 'parent', base)
    const made = await make(shop, 'Parent', 'FROM parent\nSYSTEM New.')
    expect(made).toMatchObject({ displayName: 'parent:latest', system: 'New.' })
    expect(made.statuses).toContain('removing unused layers')
    await make(shop, 'child', 'FROM parent')
    await shop.store.remove('parent')
    expect(await shop.store.show('child')).toMatchObject({ system: 'New.', family: 'llama' })
    await expectClean(shop.store)
  })

  it('keeps layers of kinds that it does not know', async () => {
    const shop = workshop()
    const { digest, sizeBytes } = await shop.store.blobs.ingest([weights])
    const odd = await shop.store.addLayer('application/vnd.ollama.image.embed', 'anything')
    await shop.store.createModel('odd', { layers: [{ mediaType: mediaTypes.model, digest, size: sizeBytes }, odd] })
    expect(kindsOf(await make(shop, 'child', 'FROM odd\nSYSTEM x'))).toEqual(['model', 'embed', 'system'])
  })
})

describe('a model whose weights are converted', () => {
  it('has what quantize makes of them, from a file and from another model', async () => {
    const shop = workshop()
    const made = await make(shop, 'small', 'FROM weights.gguf\nSYSTEM x', { quantize: 'q8_0' })
    expect(layerOf(made, mediaTypes.model)?.digest).toBe(await quantized(shop.directory, 'q8_0'))
    expect(made).toMatchObject({ quantization: 'Q8_0', system: 'x' })
    expect(made.statuses).toContain('quantizing F32 model to Q8_0')
    await make(shop, 'large', 'FROM weights.gguf\nSYSTEM y')
    const other = await make(shop, 'other', 'FROM large', { quantize: 'Q8_0' })
    expect(layerOf(other, mediaTypes.model)).toEqual(layerOf(made, mediaTypes.model))
    expect(other).toMatchObject({ quantization: 'Q8_0', system: 'y' })
    expect(readdirSync(join(shop.store.directory, 'ingest'))).toEqual([])
    await expectClean(shop.store)
  })

  it('is converted in a store whose folder is named from here', async () => {
    const { directory } = workshop()
    const store = new Store({ directory: relative(process.cwd(), mkdtempSync(join(temporary.path, 'from-here-'))) })
    await make({ directory, store }, 'large', 'FROM weights.gguf')
    const small = await make({ directory, store }, 'small', 'FROM large', { quantize: 'q8_0' })
    expect(small.quantization).toBe('Q8_0')
  })

  it('stays as it is where it has the type', async () => {
    const made = await make(workshop(), 'same', 'FROM weights.gguf', { quantize: 'f32' })
    expect(layerOf(made, mediaTypes.model)?.digest).toBe(digestOf(weights))
  })

  it('is refused where quantizing is, before anything is copied', async () => {
    const shop = workshop()
    await expect(make(shop, 'm', 'FROM weights.gguf', { quantize: 'q5_9' })).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
      message: expect.stringMatching(/Q4_K_M/) as string,
    })
    await make(shop, 'small', 'FROM weights.gguf', { quantize: 'q8_0' })
    const again = (options: CreateOptions) => make(shop, 'smaller', 'FROM small', { quantize: 'q4_0', ...options })
    await expect(again({})).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' })
    expect(await again({ allowRequantize: true })).toMatchObject({ quantization: 'Q4_0' })
  })

  it.skipIf(!hasPeer('llama-gguf-split'))('is joined from its parts (needs npm run build:peers)', async () => {
    const shop = workshop()
    const parts = join(shop.directory, 'parts')
    mkdirSync(parts)
    runPeer(
      'llama-gguf-split',
      ['--split-max-tensors', '8', join(shop.directory, 'weights.gguf'), join(parts, 'm')],
      parts,
    )
    expect(readdirSync(parts).length).toBeGreaterThan(1)
    const made = await make(shop, 'whole', 'FROM ./parts')
    expect(kindsOf(made)).toEqual(['model'])
    const tensors = ({ header }: ModelDetails) =>
      header?.tensors.map(({ name, type, dimensions }) => `${name} ${type} ${dimensions.join()}`).sort()
    expect(tensors(made)).toEqual(tensors(await make(shop, 'bare', 'FROM weights.gguf')))
    expect((await make(shop, 'small', 'FROM ./parts', { quantize: 'q8_0' })).quantization).toBe('Q8_0')
    const last = readdirSync(parts).sort().at(-1) ?? ''
    await expect(make(shop, 'm', `FROM ./parts/${last}`)).rejects.toMatchObject({
      code: 'ERR_MODEL_INVALID',
      message: expect.stringMatching(/name the first/) as string,
    })
    rmSync(join(parts, last))
    await expect(make(shop, 'm', 'FROM ./parts')).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
  })
})

describe('what cannot be made', () => {
  const cases: readonly [what: string, modelfile: string, code: string, message: RegExp][] = [
    ['a missing file', 'FROM ./nothing.gguf', 'ERR_MODEL_NOT_FOUND', /no file or folder ".*nothing\.gguf"/],
    ['a missing folder', 'FROM /nowhere/at/all', 'ERR_MODEL_NOT_FOUND', /no file or folder "\/nowhere/],
    ['a missing adapter', 'FROM weights.gguf\nADAPTER nothing', 'ERR_MODEL_NOT_FOUND', /ADAPTER names "nothing"/],
    ['two models', 'FROM weights.gguf\nFROM other.gguf', 'ERR_MODELFILE_INVALID', /must name one model, but names 2/],
    ['a name and weights', 'FROM other\nFROM weights.gguf', 'ERR_MODELFILE_INVALID', /must name one model/],
    ['no weights', 'FROM mmproj.gguf', 'ERR_MODELFILE_INVALID', /names no weights/],
    [
      'two adapters',
      'FROM weights.gguf\nFROM adapter.gguf\nADAPTER adapter.gguf',
      'ERR_MODELFILE_INVALID',
      /only one adapter/,
    ],
    ['an adapter for another model', 'FROM other.gguf\nADAPTER adapter.gguf', 'ERR_MODEL_REJECTED', /another model/],
    [
      'weights as an adapter',
      'FROM weights.gguf\nADAPTER other.gguf',
      'ERR_MODEL_INVALID',
      /Expected ADAPTER to name a LoRA/,
    ],
    ['an adapter as a draft', 'FROM weights.gguf\nDRAFT adapter.gguf', 'ERR_MODELFILE_INVALID', /weights of one model/],
    [
      'weights as their own draft',
      'FROM weights.gguf\nDRAFT ./weights.gguf',
      'ERR_MODELFILE_INVALID',
      /DRAFT must not/,
    ],
    ['the pointer of a large file', 'FROM pointer.gguf', 'ERR_MODEL_INVALID', /git lfs pull/],
    ['a file that was cut off', 'FROM broken.gguf', 'ERR_MODEL_INVALID', /./],
    ['what is no GGUF file', 'FROM letter.gguf', 'ERR_MODEL_INVALID', /./],
    ['a Modelfile without FROM', 'SYSTEM x', 'ERR_MODELFILE_INVALID', /no FROM/],
    ['a parameter out of its range', 'FROM weights.gguf\nPARAMETER top_p 2', 'ERR_MODELFILE_INVALID', /line 2/],
  ]
  it.each(cases)('%s: the store stays as it is', async (_what, modelfile, code, message) => {
    const shop = workshop()
    await make(shop, 'old', 'FROM weights.gguf')
    const before = readdirSync(join(shop.store.directory, 'blobs'))
    await expect(make(shop, 'old', modelfile)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
    expect(readdirSync(join(shop.store.directory, 'blobs'))).toEqual(before)
    expect(kindsOf(await shop.store.show('old'))).toEqual(['model'])
    expect(readdirSync(join(shop.store.directory, 'claims'))).toEqual([])
  })

  it('G14: a folder of pickles is refused for what it is, an empty one too', async () => {
    const shop = workshop()
    const folder = join(shop.directory, 'pickles')
    mkdirSync(folder)
    await expect(make(shop, 'm', 'FROM pickles')).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
    writeFileSync(join(folder, 'pytorch_model.bin'), 'x')
    await expect(make(shop, 'm', 'FROM pickles')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
  })

  it('an option that does not exist, by name', async () => {
    const options = { quantise: 'q8_0' } as CreateOptions
    await expect(make(workshop(), 'm', 'FROM weights.gguf', options)).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
      message: expect.stringMatching(/"quantise".*quantize/) as string,
    })
  })

  it('a name that is no name', async () => {
    await expect(make(workshop(), 'no name', 'FROM weights.gguf')).rejects.toMatchObject({ code: 'ERR_NAME_INVALID' })
  })

  it('is stopped by its signal and by a reader that leaves, and leaves nothing', async () => {
    const shop = workshop()
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    const creation = create(shop.store, 'm', 'FROM weights.gguf', { directory: shop.directory, signal })
    await expect(creation.result).rejects.toBe(reason)
    const left = create(shop.store, 'm', 'FROM weights.gguf', { directory: shop.directory })
    for await (const _ of left) break
    await expect(left.result).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    expect((await shop.store.list()).models).toEqual([])
  })
})
