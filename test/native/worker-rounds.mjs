// Workers that load, generate and close, some rounds each; or that do so for ever and are terminated at a random moment.
// Prints how many rounds were done and how many workers were terminated.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { bareAddon, createEngine, Inbox, loadModel, requestFor, tokenize } from './bare-addon.mjs'

if (isMainThread) {
  const { directory, path, workers, rounds, terminations, longestMs, seed } = JSON.parse(process.argv[2])
  const random = lehmer(seed)
  const totals = { rounds: 0, terminated: 0 }
  const begin = (endless) => new Worker(new URL(import.meta.url), { workerData: { directory, path, rounds, endless } })
  const finish = (worker) =>
    new Promise((resolve, reject) => {
      worker.on('message', () => totals.rounds++)
      worker.on('error', reject)
      worker.on('exit', resolve)
    })
  await Promise.all(Array.from({ length: workers }, () => finish(begin(false))))
  let left = terminations
  const terminateSome = async () => {
    while (left-- > 0) {
      const worker = begin(true)
      const ended = finish(worker)
      await new Promise((resolve) => setTimeout(resolve, random() * longestMs))
      await worker.terminate()
      await ended
      if (++totals.terminated % 100 === 0) console.error(`${totals.terminated} terminated`)
    }
  }
  await Promise.all([terminateSome(), terminateSome()])
  console.log(JSON.stringify(totals))
} else {
  const { directory, path, rounds, endless } = workerData
  const addon = bareAddon(directory)
  for (let round = 0; endless || round < rounds; round++) parentPort.postMessage(await oneRound(addon, path))
}

async function oneRound(addon, path) {
  const inbox = new Inbox()
  const model = await loadModel(addon, path)
  const engine = await createEngine(addon, model, {}, inbox.take)
  const prompt = await tokenize(addon, model, 'Once K1 K1 K2')
  const lengths = [5, 20, 40, 60, 80]
  const ids = lengths.map((maxTokens) =>
    addon.engineSubmit(engine, requestFor(prompt, { maxTokens, bufferTokens: 99 })),
  )
  addon.engineCancel(engine, ids[4])
  const texts = await Promise.all(ids.slice(0, 4).map((id) => inbox.ended(id)))
  await addon.engineClose(engine)
  addon.modelClose(model)
  if (texts.some((text, index) => text !== texts[3].slice(0, lengths[index]))) throw new Error(`wrong texts ${texts}`)
  return texts[3].length
}

/** Numbers in [0, 1) of the minimal standard generator, the same for the same seed. */
function lehmer(seed) {
  let state = (seed % 2147483646) + 1
  return () => (state = (state * 48271) % 2147483647) / 2147483647
}
