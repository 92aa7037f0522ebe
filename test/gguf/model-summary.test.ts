import { describe, expect, it } from 'vitest'
import { formatCount, readGguf, summarizeModel } from '../../lib/gguf/index.js'
import { text, u32, writeGguf, type WriterFile } from '../support/gguf-writer.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const directory = temporaryDirectory()
const summarize = async (bytes: Uint8Array) => summarizeModel(await readGguf(await directory.write('x.gguf', bytes)))

describe('a summary', () => {
  it('says what listings show', async () => {
    const bytes = randomModel('qwen3', {
      metadata: { 'general.size_label': text('0.6B'), 'general.file_type': u32(15) },
    })
    expect(await summarize(bytes)).toEqual({
      architecture: 'qwen3',
      name: 'Random qwen3',
      parameterCount: 95_744,
      parameterSize: '96K',
      sizeLabel: '0.6B',
      quantization: 'Q4_K_M',
      contextLength: 2048,
      embeddingLength: 64,
      layers: 2,
    })
  })

  it('works for a file that says nothing', async () => {
    expect(await summarize(writeGguf({ metadata: {} }))).toEqual({
      architecture: '',
      name: '',
      parameterCount: 0,
      parameterSize: '0',
      sizeLabel: '0',
      quantization: 'unknown',
      contextLength: 0,
      embeddingLength: 0,
      layers: 0,
    })
  })

  it.each<[string, WriterFile, string]>([
    ['the declared file type', { metadata: { 'general.file_type': u32(3) } }, 'Q4_1'],
    ['a file type of another time', { metadata: { 'general.file_type': u32(999) } }, 'unknown'],
    [
      'the type of most weights',
      {
        metadata: {},
        tensors: [
          { name: 'norm', dimensions: [32], data: new Float32Array(32) },
          { name: 'weight', dimensions: [32, 2], type: 8, data: new Uint8Array(68) },
        ],
      },
      'Q8_0',
    ],
  ])('takes as quantisation %s', async (_, file, expected) => {
    expect((await summarize(writeGguf(file))).quantization).toBe(expected)
  })
})

describe('a count as Ollama writes it', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [1000, '1K'],
    [242_560, '243K'],
    [1_000_000, '1M'],
    [134_515_008, '134.52M'],
    [999_900_000, '999.90M'],
    [1_000_000_000, '1B'],
    [8_030_261_248, '8.0B'],
    [70_553_706_496, '70.6B'],
  ])('%d is %s', (count, expected) => {
    expect(formatCount(count)).toBe(expected)
  })
})
