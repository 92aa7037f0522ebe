// Embeds three hundred inputs, tells how many numbers came, and goes on until it is ended.
import { parentPort, workerData } from 'node:worker_threads'
import { bareAddon, loadModel } from './bare-addon.mjs'

const addon = bareAddon(workerData.directory)
const model = await loadModel(addon, workerData.path)
const embedder = addon.embedderCreate(model, {
  contextSize: 512,
  batchSize: 512,
  maxInputs: 128,
  splits: false,
  threads: 1,
  flashAttention: 'auto',
  ownKernels: true,
})
const request = {
  tokens: new Int32Array(3000).fill(5),
  lengths: new Int32Array(300).fill(10),
  pooling: 'mean',
  normalize: true,
  dimensions: 0,
}
for (;;) {
  const calls = Array.from({ length: 4 }, () =>
    addon.embedderRun(embedder, { ...request, cancelFlag: addon.createCancelFlag() }),
  )
  const [first] = await Promise.all(calls)
  parentPort.postMessage(first.length)
}
