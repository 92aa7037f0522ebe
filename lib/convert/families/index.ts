import { bert } from './bert.js'
import { exaone, exaone4 } from './exaone.js'
import type { Family } from './family.js'
import { gemma, gemma2, gemma3 } from './gemma.js'
import { llama } from './llama.js'
import { phi3 } from './phi3.js'
import { qwen2, qwen3 } from './qwen.js'

/** All families that are converted. */
export const families: readonly Family[] = [llama, qwen2, qwen3, gemma, gemma2, gemma3, phi3, exaone, exaone4, bert]
