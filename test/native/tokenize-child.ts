import { nativeAddon } from '../../lib/native.js'
import { loadRawModel } from './raw-engine.js'
import { tokenize } from './vocabulary-file.js'

// Tokenizes `bytes` bytes of each character and prints how many tokens they became. Arguments: path, then pairs of
// character and bytes.
const [path = '', ...pairs] = process.argv.slice(2)
const model = await loadRawModel(path, true)
const results: { character: string; tokens: number; ms: number }[] = []
for (let i = 0; i < pairs.length; i += 2) {
  const character = pairs[i] ?? ''
  const text = character.repeat(Math.floor(Number(pairs[i + 1]) / Buffer.byteLength(character)))
  const start = performance.now()
  const { length } = await tokenize(model, text)
  results.push({ character, tokens: length, ms: Math.round(performance.now() - start) })
}
nativeAddon().modelClose(model)
process.stdout.write(JSON.stringify(results))
