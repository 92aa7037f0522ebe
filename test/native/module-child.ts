import { backendReport, nativeAddon } from '../../lib/native.js'
import { openRawEngine } from './raw-engine.js'

// Arguments: a CPU module's path, a model. Prints what that module answers to a prompt of more than 64 tokens.
const [cpuModule = '', path = ''] = process.argv.slice(2)
nativeAddon({ cpuModule })
const engine = await openRawEngine(path)
const prompt = `The sea was calm. ${'The boat went out in the morning and came back in the evening. '.repeat(6)}One day`
const { text, tokens, logprobs, finish } = await engine.run(prompt, { maxTokens: 16, ignoreEos: true, logprobs: 2 })
const result = { cpuModule: backendReport().cpuModule, inputTokens: finish.inputTokens, text, tokens, logprobs }
await engine.close()
process.stdout.write(JSON.stringify(result))
