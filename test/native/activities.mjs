// What an addon can be in the middle of when its environment ends. Each resolves once it is under way.
import { mkdirSync, readFileSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import { chatInput, createEngine, Inbox, loadModel, requestFor, tokenize } from './bare-addon.mjs'

const longText = 'Some words, 1234 numbers and a tail. '.repeat(2_000)

/** `kept` keeps what was made reachable; `tokens` bounds generations, so that the event loop can run out. */
export const activities = {
  async 'loading a model'({ addon, path, kept }) {
    for (let copies = 0; copies < 4; copies++) kept.push(loadModel(addon, path))
  },

  async 'cancelling a load'({ addon, path, kept }) {
    const flag = addon.createCancelFlag()
    const loading = loadModel(addon, path, flag)
    addon.cancel(flag)
    kept.push(loading.catch(() => undefined))
  },

  async quantizing({ addon, path, kept }) {
    const options = {
      source: path,
      fileType: 25,
      copy: false,
      allowRequantize: false,
      imatrix: '',
      imatrixName: '',
      metadataOverrides: [],
    }
    const begun = Array.from({ length: 2 }, (_, copy) => {
      const target = `${path}.${process.pid}-${threadId}-${copy}`
      const cancelFlag = addon.createCancelFlag()
      return new Promise((resolve) => {
        const task = { ...options, target, threads: 2, cancelFlag }
        kept.push(addon.quantize(task, resolve).catch(() => undefined))
      })
    })
    await Promise.race(begun)
  },

  async 'making an engine'({ addon, path, kept }) {
    const model = await loadModel(addon, path)
    for (let copies = 0; copies < 2; copies++) kept.push(createEngine(addon, model))
  },

  async 'closing the model beside a new engine'({ addon, path, kept }) {
    const model = await loadModel(addon, path)
    kept.push(createEngine(addon, model))
    addon.modelClose(model)
  },

  async tokenizing({ addon, path, kept }) {
    const model = await loadModel(addon, path)
    for (let copies = 0; copies < 4; copies++) kept.push(tokenize(addon, model, longText))
  },

  async detokenizing({ addon, path, kept }) {
    const model = await loadModel(addon, path)
    const tokens = new Int32Array(100_000).fill(300)
    kept.push(addon.detokenize(model, tokens, { removeSpecial: false, renderSpecial: true }))
  },

  async 'rendering a chat'({ addon, path, kept }) {
    const model = await loadModel(addon, path)
    const messagesJson = JSON.stringify(Array.from({ length: 20 }, () => ({ role: 'user', content: longText })))
    kept.push(addon.chatPrompt(await addon.chatTemplate(model, ''), chatInput({ messagesJson })))
  },

  async 'computing a prompt'(setting) {
    const { addon, engine, model } = await generating(setting)
    const prompt = await tokenize(addon, model, `${'.'.repeat(3_000)}K1`)
    addon.engineSubmit(engine, requestFor(prompt, { maxTokens: 1 }))
  },

  async generating(setting) {
    const { addon, engine, inbox, prompt } = await generating(setting)
    await inbox.begun(addon.engineSubmit(engine, requestFor(prompt, { bufferTokens: 1e6, maxTokens: setting.tokens })))
  },

  async 'generating with a queue'(setting) {
    const { addon, engine, inbox, prompt } = await generating(setting)
    const request = requestFor(prompt, { bufferTokens: 1e6, maxTokens: setting.tokens })
    const ids = Array.from({ length: 20 }, () => addon.engineSubmit(engine, request))
    await inbox.begun(ids[0])
  },

  async 'generating on eight engines'(setting) {
    const many = await Promise.all(Array.from({ length: 8 }, () => generating(setting)))
    await Promise.all(
      many.map(({ addon, engine, inbox, prompt }) =>
        inbox.begun(addon.engineSubmit(engine, requestFor(prompt, { bufferTokens: 1e6, maxTokens: setting.tokens }))),
      ),
    )
  },

  async 'generating with adapters'(setting) {
    const { addon, engine, inbox, model, prompt, kept } = await generating(setting)
    const { layers, embeddingSize } = addon.modelInfo(model)
    const directions = new Float32Array((layers - 1) * embeddingSize)
    const [one, two] = ['one', 'two'].map((digest) => addon.controlVectorCreate(model, directions, digest))
    const request = (adapter) =>
      requestFor(prompt, { bufferTokens: 1e6, maxTokens: setting.tokens, adapters: [{ adapter, scale: 1 }] })
    const ids = [one, two].map((adapter) => addon.engineSubmit(engine, request(adapter)))
    kept.push(two, addon.adapterClose(one, engine))
    await Promise.all(ids.map((id) => inbox.begun(id)))
  },

  async 'keeping prefixes on disk'(setting) {
    const directory = `${setting.path}.cache`
    mkdirSync(directory, { recursive: true })
    const cacheFiles = { directory, bytes: 400_000, fingerprint: '' }
    const { addon, engine, inbox, model } = await generating(setting, { cacheBytes: 200_000, cacheFiles })
    const ids = []
    for (let key = 0; key < 16; key++) {
      const prompt = await tokenize(addon, model, `K${key % 6}${'.'.repeat(300)}`)
      ids.push(addon.engineSubmit(engine, requestFor(prompt, { maxTokens: 3 })))
    }
    await inbox.ended(ids[7])
  },

  async embedding(setting) {
    await embedding(setting)
  },

  async 'encoding images'(setting) {
    await encoding(setting)
  },

  async 'generating from an image whose projector was closed'(setting) {
    const { addon, engine, inbox, projector, encoded, kept, prompt } = await encoding(setting)
    const medium = await encoded[0]
    const tokens = [...prompt, ...addon.mediumTokens(medium), ...prompt]
    const media = [{ at: prompt.length, medium }]
    const options = { media, bufferTokens: 1e6, maxTokens: setting.tokens }
    const id = addon.engineSubmit(engine, requestFor(tokens, options))
    addon.mediumRelease(medium)
    addon.projectorClose(projector)
    kept.push(inbox.begun(id))
    await inbox.begun(id)
  },

  async 'closing an embedder'(setting) {
    const { addon, embedder, kept, model } = await embedding(setting)
    kept.push(addon.embedderClose(embedder), addon.embedderClose(embedder))
    addon.modelClose(model)
  },

  async parked(setting) {
    const { addon, engine, inbox, prompt } = await generating(setting)
    const id = addon.engineSubmit(engine, requestFor(prompt, { bufferTokens: 4 }))
    await inbox.begun(id, 4)
  },

  async cancelling(setting) {
    const { addon, engine, inbox, prompt } = await generating(setting)
    const id = addon.engineSubmit(engine, requestFor(prompt, { bufferTokens: 1e6 }))
    await inbox.begun(id)
    addon.engineCancel(engine, id)
  },

  async idle(setting) {
    const { addon, engine, inbox, prompt } = await generating(setting)
    await inbox.ended(addon.engineSubmit(engine, requestFor(prompt, { maxTokens: 3 })))
  },

  async closing(setting) {
    const { addon, engine, inbox, model, prompt, kept } = await generating(setting)
    await inbox.begun(addon.engineSubmit(engine, requestFor(prompt, { bufferTokens: 1e6 })))
    kept.push(addon.engineClose(engine), addon.engineClose(engine))
    addon.modelClose(model)
  },

  async closed(setting) {
    const { addon, engine, model, prompt } = await generating(setting)
    addon.engineSubmit(engine, requestFor(prompt))
    await addon.engineClose(engine)
    addon.modelClose(model)
  },

  async 'generating after the model was closed'(setting) {
    const { addon, engine, inbox, model, prompt } = await generating(setting)
    addon.modelClose(model)
    await inbox.begun(addon.engineSubmit(engine, requestFor(prompt, { bufferTokens: 1e6, maxTokens: setting.tokens })))
  },
}

/** Calls that wait for an embedder, with inputs of many steps. */
async function embedding({ addon, path, kept, tokens }) {
  const model = await loadModel(addon, path)
  const embedder = addon.embedderCreate(model, {
    contextSize: 4096,
    batchSize: 256,
    maxInputs: 64,
    splits: true,
    threads: 1,
    flashAttention: 'auto',
    ownKernels: true,
  })
  kept.push(model, embedder)
  const inputs = tokens === -1 ? 40 : 20
  const request = {
    tokens: new Int32Array(inputs * 100).fill(70),
    lengths: new Int32Array(inputs).fill(100),
    pooling: 'mean',
    normalize: true,
    dimensions: 0,
  }
  const run = () => addon.embedderRun(embedder, { ...request, cancelFlag: addon.createCancelFlag() })
  for (let calls = 0; calls < 5; calls++) kept.push(run().catch(() => undefined))
  while (tokens === -1 && addon.embedderStats(embedder).steps < 2) await new Promise((resolve) => setImmediate(resolve))
  return { addon, embedder, kept, model }
}

/** An engine with a projector that encodes an image several times over. */
async function encoding(setting) {
  const { addon, model, path, ...others } = { ...(await generating(setting)), path: setting.path }
  const options = { path: `${path}.mmproj`, useGpu: false, threads: 1, cacheBytes: 0, mostTogether: 512 }
  const projector = await addon.projectorLoad(model, options)
  const image = readFileSync(`${path}.png`)
  const encode = (number) =>
    addon.mediumEncode(projector, 'image', new Uint8Array(32).fill(number), image, addon.createCancelFlag())
  const encoded = [1, 2, 3, 4].map(encode)
  others.kept.push(projector, ...encoded.map((one) => one.catch(() => undefined)))
  return { addon, model, projector, encoded, ...others }
}

/** An engine with the model and a prompt for it. */
async function generating({ addon, path, kept }, options = {}) {
  const inbox = new Inbox()
  const model = await loadModel(addon, path)
  const engine = await createEngine(addon, model, options, inbox.take)
  kept.push(model, engine)
  return { addon, kept, inbox, model, engine, prompt: await tokenize(addon, model, 'Once K1') }
}
