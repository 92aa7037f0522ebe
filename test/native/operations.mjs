// Every operation in every state of the addon's objects. Prints what came of each as JSON: "ok" or the error's code.
import { bareAddon, chatInput, createEngine, Inbox, loadModel, requestFor, tokenize } from './bare-addon.mjs'

const { directory, path } = JSON.parse(process.argv[2])
const addon = bareAddon(directory)

const states = {
  async idle() {},
  async generating({ inbox, engine, endless }) {
    await inbox.begun(addon.engineSubmit(engine, endless))
  },
  async parked({ inbox, engine, prompt }) {
    await inbox.begun(addon.engineSubmit(engine, requestFor(prompt, { bufferTokens: 4 })), 4)
  },
  async loading(objects) {
    objects.loading = loadModel(addon, path)
  },
  async closing({ engine, inbox, endless }) {
    await inbox.begun(addon.engineSubmit(engine, endless))
    void addon.engineClose(engine)
  },
  async closed({ engine, model }) {
    await addon.engineClose(engine)
    addon.modelClose(model)
  },
  async 'model closed first'({ engine, model, inbox, endless }) {
    await inbox.begun(addon.engineSubmit(engine, endless))
    addon.modelClose(model)
  },
}

const operations = {
  load: () => loadModel(addon, path),
  modelInfo: ({ model }) => addon.modelInfo(model),
  modelClose: ({ model }) => addon.modelClose(model),
  'modelClose twice'({ model }) {
    addon.modelClose(model)
    addon.modelClose(model)
  },
  tokenize: ({ model }) => tokenize(addon, model, 'Hello K1'),
  detokenize: ({ model }) => addon.detokenize(model, Int32Array.of(300), { removeSpecial: false, renderSpecial: true }),
  piece: ({ model }) => addon.piece(model, 300),
  chatTemplate: ({ model }) => addon.chatTemplate(model, ''),
  chatTemplateInfo: ({ chatTemplate }) => addon.chatTemplateInfo(chatTemplate),
  chatPrompt: ({ chatTemplate }) => addon.chatPrompt(chatTemplate, chatInput()),
  chatParse: ({ chatFormat }) => addon.chatParse(chatFormat, 'Hi', true),
  controlVectorCreate: ({ model }) => controlVector(model),
  async 'submit with an adapter'({ engine, inbox, prompt, adapter }) {
    await inbox.ended(
      addon.engineSubmit(engine, requestFor(prompt, { maxTokens: 3, adapters: [{ adapter, scale: 1 }] })),
    )
  },
  adapterClose: ({ engine, adapter }) => addon.adapterClose(adapter, engine),
  async 'adapterClose twice'({ engine, adapter }) {
    await Promise.all([addon.adapterClose(adapter, engine), addon.adapterClose(adapter, undefined)])
  },
  async 'adapterClose, then submit'({ engine, prompt, adapter }) {
    const closed = addon.adapterClose(adapter, engine)
    try {
      addon.engineSubmit(engine, requestFor(prompt, { adapters: [{ adapter, scale: 1 }] }))
    } finally {
      await closed
    }
  },
  engineCreate: async ({ model }) => addon.engineClose(await createEngine(addon, model)),
  engineInfo: ({ engine }) => addon.engineInfo(engine),
  async submit({ engine, inbox, prompt }) {
    const id = addon.engineSubmit(engine, requestFor(prompt, { maxTokens: 3 }))
    await inbox.ended(id)
  },
  cancel: ({ engine }) => addon.engineCancel(engine, 1),
  'cancel of nobody': ({ engine }) => addon.engineCancel(engine, 99),
  acknowledge: ({ engine }) => addon.engineAcknowledge(engine, 1, -1),
  stats: ({ engine }) => addon.engineStats(engine),
  close: ({ engine }) => addon.engineClose(engine),
  async 'close twice'({ engine }) {
    await addon.engineClose(engine)
    await addon.engineClose(engine)
  },
  'close concurrently': ({ engine }) => Promise.all([1, 2, 3].map(() => addon.engineClose(engine))),
  async 'close, then submit'({ engine, prompt }) {
    const closed = addon.engineClose(engine)
    try {
      addon.engineSubmit(engine, requestFor(prompt))
    } finally {
      await closed
    }
  },
  'a handle of another kind': ({ engine }) => addon.modelInfo(engine),
  'no handle': () => addon.engineStats({}),
}

const outcomes = {}
for (const [state, enter] of Object.entries(states)) {
  outcomes[state] = {}
  for (const [operation, perform] of Object.entries(operations)) outcomes[state][operation] = await cell(enter, perform)
}
console.log(JSON.stringify(outcomes))

function controlVector(model) {
  const { layers, embeddingSize } = addon.modelInfo(model)
  return addon.controlVectorCreate(model, new Float32Array((layers - 1) * embeddingSize).fill(0.01), 'vector')
}

async function cell(enter, perform) {
  const inbox = new Inbox()
  const model = await loadModel(addon, path)
  const engine = await createEngine(addon, model, {}, inbox.take)
  const prompt = await tokenize(addon, model, 'Once K1')
  const chatTemplate = await addon.chatTemplate(model, '')
  const { format: chatFormat } = await addon.chatPrompt(chatTemplate, chatInput())
  const objects = {
    chatTemplate,
    chatFormat,
    adapter: controlVector(model),
    inbox,
    model,
    engine,
    prompt,
    endless: requestFor(prompt, { bufferTokens: 1e6 }),
  }
  await enter(objects)
  let outcome = 'ok'
  try {
    await perform(objects)
  } catch (error) {
    outcome = error.code ?? error.message
  }
  await objects.loading
  await addon.engineClose(engine)
  addon.modelClose(model)
  return outcome
}
