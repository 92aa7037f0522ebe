import { createHash } from 'node:crypto'
import { open, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { makeDirectory } from '../make-directory.js'
import type { GgufFile } from '../gguf/index.js'
import { backendReport, llameroVersion } from '../native.js'

/** Remembers which models have passed the probe, by their content and by the engine that they passed it with. */
export interface ProbeRecord {
  has(key: string): Promise<boolean>
  add(key: string): Promise<void>
}

/** A record as one empty file per pass in `directory`. @default `~/.llamero/probes` */
export function probeRecord(directory = join(homedir(), '.llamero', 'probes')): ProbeRecord {
  return {
    has: (key) =>
      stat(join(directory, key)).then(
        () => true,
        () => false,
      ),
    add: async (key) => {
      try {
        await makeDirectory(directory)
        await writeFile(join(directory, key), '')
      } catch {
        // A home that can't be written costs a probe per load, nothing more.
      }
    },
  }
}

/**
 * Names a model and the engine: SHA-256 over everything of the file that llama.cpp parses (header, metadata, vocabulary,
 * tensor list), its size, and the versions. Weights are left out: they are numbers that no code path depends on, and
 * hashing gigabytes before each load would cost more than the load.
 */
export async function probeKey(path: string, file: GgufFile): Promise<string> {
  const { llamaTag, cpuModule } = backendReport()
  const hash = createHash('sha256').update(JSON.stringify([llameroVersion, llamaTag, cpuModule, file.sizeBytes]))
  for (const { location, dataOffset } of file.parts ?? [{ location: path, dataOffset: file.dataOffset }]) {
    const handle = await open(location)
    try {
      const stream = handle.createReadStream({ end: dataOffset - 1, autoClose: false })
      for await (const chunk of stream) hash.update(chunk as Buffer)
    } finally {
      await handle.close()
    }
  }
  return hash.digest('hex')
}
