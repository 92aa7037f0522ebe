import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The variables of the environment that say where models lie; a program reads them and passes them on. */
export interface ModelsEnvironment {
  readonly LLAMERO_MODELS?: string | undefined
  readonly OLLAMA_MODELS?: string | undefined
}

/**
 * Where models lie if nobody says otherwise: `LLAMERO_MODELS`, else `OLLAMA_MODELS`, else `~/.llamero/models` if it
 * exists, else Ollama's own `~/.ollama/models`, so that what Ollama pulled is there and the reverse.
 *
 * @param environment the variables to obey; the library itself never reads them. @default none
 */
export function defaultModelsDirectory(environment: ModelsEnvironment = {}): string {
  const chosen = environment.LLAMERO_MODELS?.trim() || environment.OLLAMA_MODELS?.trim()
  if (chosen) return chosen
  const own = join(homedir(), '.llamero', 'models')
  return existsSync(own) ? own : join(homedir(), '.ollama', 'models')
}
