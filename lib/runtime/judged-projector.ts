import { checkProjector, readGguf } from '../gguf/index.js'
import type { ProjectorSource } from '../model/index.js'
import { digestOf } from './file-digest.js'
import type { JudgeOptions } from './judged-file.js'
import { probeProjector, type ProbedFile } from './probe.js'
import { probeRecord } from './probe-record.js'

/** A projector that mtmd may read: checked, and unless it is known tried with its model in a child process. */
export async function judgedProjector(
  path: string,
  model: ProbedFile,
  { signal, probe, probeDirectory }: JudgeOptions,
): Promise<ProjectorSource> {
  const file = await readGguf(path, { signal })
  checkProjector(file)
  if (probe ?? true) await probeProjector(model, { path, file }, { record: probeRecord(probeDirectory), signal })
  return { path, digest: await digestOf(path, signal) }
}
