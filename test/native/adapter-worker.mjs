// Worker threads that end in the middle of loading or using LoRA adapters, by themselves and from outside.
import { parentPort, isMainThread, Worker, workerData } from 'node:worker_threads'
import { bareAddon, createEngine, Inbox, loadModel, requestFor } from './bare-addon.mjs'

if (isMainThread) await supervise(JSON.parse(process.argv[2]))
else await work(workerData)

async function supervise(data) {
  const ends = []
  for (const ending of ['exited', 'terminated', 'exited', 'terminated']) ends.push(await runWorker({ ...data, ending }))
  console.log(ends.join(' '))
}

function runWorker(data) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: data })
    worker.on('message', () => data.ending === 'terminated' && void worker.terminate())
    worker.on('error', reject)
    worker.on('exit', () => resolve(data.ending))
  })
}

async function work({ directory, path, adapter: file, moment, ending }) {
  const addon = bareAddon(directory)
  const model = await loadModel(addon, path)
  const inbox = new Inbox()
  const engine = await createEngine(addon, model, { contextSize: 2048 }, inbox.take)
  const loading = Array.from({ length: 4 }, (_, copy) => addon.adapterLoad(model, file, `${copy}`))
  if (moment === 'while it generates with adapters') {
    const adapters = await Promise.all(loading)
    addon.modelClose(model)
    const ids = adapters.map((adapter, index) =>
      addon.engineSubmit(
        engine,
        requestFor([1, 2, 3], { adapters: [{ adapter, scale: index + 1 }], bufferTokens: 1e6 }),
      ),
    )
    void addon.adapterClose(adapters[0], engine)
    await Promise.all(ids.map((id) => inbox.begun(id, 4)))
  }
  parentPort.postMessage('under way')
  if (ending === 'exited') process.exit(0)
  setInterval(() => undefined, 1000)
}
