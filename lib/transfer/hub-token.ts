import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { ProxyVariables } from './http-proxy.js'

/** The user's token: `HF_TOKEN`, else what `hf auth login` (once `huggingface-cli login`) has written. Undefined if there is none. */
export async function hubToken(variables: ProxyVariables): Promise<string | undefined> {
  const given = variables.HF_TOKEN || variables.HUGGING_FACE_HUB_TOKEN
  return clean(given || (await readFile(hubTokenPath(variables), 'utf8').catch(() => '')))
}

/** Where Hugging Face's own client keeps the token. */
export function hubTokenPath(variables: ProxyVariables): string {
  const cache = variables.XDG_CACHE_HOME || join(homedir(), '.cache')
  const home = variables.HF_HOME || join(cache, 'huggingface')
  return (variables.HF_TOKEN_PATH || join(home, 'token')).replace(/^~(?=[/\\])/, homedir())
}

// Anything else would be another header, or none.
function clean(text: string): string | undefined {
  const token = text.trim()
  return /^[\x21-\x7e]{1,1000}$/.test(token) ? token : undefined
}
