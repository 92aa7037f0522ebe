import { readGgufModel, validateModel, type GgufFile } from '../gguf/index.js'
import { probeModel } from './probe.js'
import { probeRecord } from './probe-record.js'

/** How a model file is judged before llama.cpp sees it. */
export interface JudgeOptions {
  /** Try the model with its trained head too. @default false */
  readonly mtp?: boolean | undefined
  /** Ends it. @default none */
  readonly signal?: AbortSignal | undefined
  /**
   * Load an unknown model in a throw-away process first, since llama.cpp ends the process on some bad files. Takes about
   * as long as the load itself, once per model. Only turn it off for files that you made. @default true
   */
  readonly probe?: boolean | undefined
  /** Where passed probes are remembered. @default `~/.llamero/probes` */
  readonly probeDirectory?: string | undefined
}

/** The header of a model that llama.cpp may read: checked, and unless it is known tried in a child process. */
export async function judgedFile(path: string, options: JudgeOptions): Promise<GgufFile> {
  const { signal, probe, probeDirectory, mtp = false } = options
  const file = await readGgufModel(path, { signal })
  validateModel(file)
  if (probe ?? true) await probeModel(path, file, { record: probeRecord(probeDirectory), signal, mtp })
  return file
}
