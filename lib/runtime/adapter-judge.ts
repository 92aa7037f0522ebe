/** Reads and judges the files that are loaded beside a model: what the room of models may not know. */
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import { adapterBase, checkControlVector, checkLora, readGguf, type Direction, type GgufFile } from '../gguf/index.js'
import type { AdapterJudge } from '../model/index.js'
import { digestOf } from './file-digest.js'

/** Judges adapters by the file of the model that they are for. */
export function adapterJudge(model: GgufFile): AdapterJudge {
  const base = adapterBase(model)
  return {
    async lora(path, signal) {
      const summary = checkLora(await read(path, signal), base)
      return { ...summary, name: summary.name || basename(path), digest: await digestOf(path, signal) }
    },
    async controlVector(path, signal) {
      const file = await read(path, signal)
      const directions = await readDirections(path, checkControlVector(file, base))
      return { name: basename(path), directions }
    },
  }
}

function read(path: string, signal: AbortSignal | undefined): Promise<GgufFile> {
  return readGguf(path, signal === undefined ? {} : { signal })
}

async function readDirections(path: string, directions: readonly Direction[]): Promise<Map<number, Float32Array>> {
  const file = await open(path)
  try {
    const found = new Map<number, Float32Array>()
    for (const { layer, tensor } of directions) {
      const values = new Float32Array(tensor.elements)
      await file.read(values, 0, values.byteLength, tensor.offset)
      found.set(layer, values)
    }
    return found
  } finally {
    await file.close()
  }
}
