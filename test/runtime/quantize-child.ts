// Quantizes under a limit on file sizes and tells what came of it.
import { LlameroError, quantize } from '../../lib/index.js'

const [source = '', target = '', probeDirectory = ''] = process.argv.slice(2)
try {
  await quantize(source, target, { type: 'q8_0', probe: false, probeDirectory })
  process.stdout.write('done')
} catch (error) {
  process.stdout.write(error instanceof LlameroError ? error.code : String(error))
}
