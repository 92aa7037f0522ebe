import type { Interruption } from './interruption.js'
import type { Output } from './output.js'
import type { Input } from './prompt.js'

/** What a command has to do with the world. */
export interface CommandContext {
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
  readonly interruption: Interruption
  /** The folder of the store. */
  readonly modelsDirectory: string
  /** Variables of the environment that say how to reach servers. */
  readonly variables: Readonly<Record<string, string | undefined>>
}
