// A process that ends while the addon is in the middle of something. Prints "under way", then ends as told.
import { activities } from './activities.mjs'
import { bareAddon } from './bare-addon.mjs'

const { directory, path, activity, ending } = JSON.parse(process.argv[2])
const bounded = ending === 'nothing left to do'
const kept = []
const setting = { addon: bareAddon(directory), path, kept, tokens: bounded ? 300 : -1 }
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
  async 'garbage collection'() {
    await Promise.allSettled(kept.splice(0))
    for (let rounds = 0; rounds < 5; rounds++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      globalThis.gc()
    }
  },
}
await endings[ending]()
