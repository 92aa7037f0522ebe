// A process that ends while the addon is in the middle of something. Prints "under way", then ends as told.
import { activities } from './activities.mjs'
import { bareAddon, createEngine, loadModel, requestFor, tokenize } from './bare-addon.mjs'

const { directory, path, activity, ending } = JSON.parse(process.argv[2])
const bounded = ending === 'nothing left to do'
const kept = []
const addon = bareAddon(directory)
const setting = { addon, path, kept, tokens: bounded ? 300 : -1 }
await activities[activity](setting)
console.log('under way')

const endings = {
  'nothing left to do'() {},
  'process.exit'() {
    process.exit(7)
  },
  'process.exit a little later'() {
    setTimeout(() => process.exit(7), 10)
  },
  'an uncaught exception'() {
    setImmediate(() => {
      throw new Error('on purpose')
    })
  },
  'an unhandled rejection'() {
    void Promise.reject(new Error('on purpose'))
  },
  SIGTERM() {
    process.kill(process.pid, 'SIGTERM')
    setInterval(() => undefined, 1000)
  },
  'work that begins in an exit listener'() {
    process.on('exit', () => {
      try {
        loadModel(addon, path)
        process.exitCode = 2
      } catch (error) {
        process.exitCode = error.code === 'ERR_DISPOSED' ? 9 : 3
      }
    })
    process.exit()
  },
  async 'news that nobody could take'() {
    // One after the other: the news of requests that overlap may arrive in a single call.
    let thrown = 0
    const model = await loadModel(addon, path)
    const engine = await createEngine(addon, model, {}, () => {
      throw new Error('on purpose')
    })
    const prompt = await tokenize(addon, model, 'K1')
    const ask = () => addon.engineSubmit(engine, requestFor(prompt, { maxTokens: 20 }))
    process.on('uncaughtException', ({ message }) => {
      if (message !== 'on purpose') process.exit(4)
      if (++thrown === 3) process.exit(5)
      ask()
    })
    ask()
  },
  async 'garbage collection'() {
    await Promise.allSettled(kept.splice(0))
    for (let rounds = 0; rounds < 5; rounds++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      globalThis.gc()
    }
  },
}
await endings[ending]()
