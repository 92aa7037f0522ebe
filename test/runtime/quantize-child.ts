// Quantizes under a limit on file sizes and tells what came of it, or ends in the middle of it.
import { LlameroError, quantize } from '../../lib/index.js'

const [source = '', target = '', exits = ''] = process.argv.slice(2)
const onProgress = () => {
  if (exits !== '') process.exit(7)
}
try {
  await quantize(source, target, { type: 'IQ4_NL', threads: 1, probe: false, onProgress })
  process.stdout.write('done')
} catch (error) {
  process.stdout.write(error instanceof LlameroError ? error.code : String(error))
}
