import { nativeAddon } from '../../lib/native.js'
import { loadRawModel } from './raw-engine.js'

// Argument: a model. Prints "loaded" if llama.cpp takes it; nothing has judged it before.
const [path = ''] = process.argv.slice(2)
nativeAddon().modelClose(await loadRawModel(path))
process.stdout.write('loaded')
