import { type GgufFile, readGgufModel, validateModel } from '../gguf/index.js'
import { judgedFile, type JudgeOptions } from './judged-file.js'
import { type ProbedFile, probeHead } from './probe.js'
import { probeRecord } from './probe-record.js'

/**
 * The header of a file that may propose tokens for a model: a draft model, judged as any other, or a trained head
 * (EAGLE-3), which computes nothing by itself and is tried with the model.
 */
export async function judgedDraft(path: string, model: ProbedFile, options: JudgeOptions): Promise<GgufFile> {
  const { signal, probe, probeDirectory } = options
  const file = await readGgufModel(path, { signal })
  const architecture = file.metadata.get('general.architecture')
  if (architecture?.type !== 'string' || architecture.value !== 'eagle3') {
    return judgedFile(path, { ...options, mtp: false })
  }
  validateModel(file)
  if (probe ?? true) await probeHead(model, { path, file }, { record: probeRecord(probeDirectory), signal })
  return file
}
