// Worker threads that end while the addon is in the middle of something, one after the other; the main thread never
// loads the addon unless told so. Prints a line per worker.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { activities } from './activities.mjs'
import { bareAddon } from './bare-addon.mjs'

const endings = {
  'it has nothing left to do'() {},
  'it calls process.exit'() {
    process.exit(3)
  },
  'it throws'() {
    setImmediate(() => {
      throw new Error('on purpose')
    })
  },
  'it is terminated'() {
    setInterval(() => undefined, 1000)
  },
}

if (isMainThread) await superviseAll(JSON.parse(process.argv[2]))
else await work(workerData)

async function superviseAll({ directory, path, onMain }) {
  const addon = onMain ? bareAddon(directory) : undefined
  for (const activity of Object.keys(activities)) {
    for (const ending of Object.keys(endings)) {
      const code = await supervise({ directory, path, activity, ending })
      console.log(JSON.stringify([activity, ending, code]))
    }
  }
  await activities.idle({ addon: addon ?? bareAddon(directory), path, kept: [], tokens: 3 })
  console.log(JSON.stringify(['idle', 'main', 0]))
}

function supervise(data) {
  return new Promise((resolve) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: data })
    let thrown = ''
    worker.on('error', ({ message }) => (thrown = message))
    worker.on('message', () => data.ending === 'it is terminated' && void worker.terminate())
    worker.on('exit', (code) => resolve(thrown === '' ? code : thrown))
  })
}

async function work({ directory, path, activity, ending }) {
  const tokens = ending === 'it has nothing left to do' ? 200 : -1
  await activities[activity]({ addon: bareAddon(directory), path, kept: [], tokens })
  parentPort.postMessage('under way')
  endings[ending]()
}
