import { Writable } from 'node:stream'
import { convert } from '../../lib/convert/index.js'

/** Converts a folder into nothing and prints how much memory that took. */
async function measure(folder: string): Promise<void> {
  const nothing = new Writable({
    write(_chunk, _encoding, done) {
      done()
    },
  })
  const before = process.memoryUsage().rss
  const { sizeBytes } = await convert(folder, nothing, { type: 'f16' })
  const growth = process.resourceUsage().maxRSS * 1024 - before
  console.log(JSON.stringify({ sizeBytes, growth }))
}

await measure(process.argv[2] ?? '')
