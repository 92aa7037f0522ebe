import { describe, expect, it } from 'vitest'
import { validateModel, type GgufFile, type GgufTensor } from '../../lib/gguf/index.js'

/** The header of a file with an architecture and tensors by name; what else is in it does not matter here. */
function header(architecture: string, names: readonly string[] = []): GgufFile {
  const tensors = names.map((name): Partial<GgufTensor> => ({ name, dimensions: [8], type: 'F32' }))
  return {
    version: 3,
    littleEndian: true,
    metadata: new Map([['general.architecture', { type: 'string', value: architecture }]]),
    tensors: tensors as GgufTensor[],
  } as unknown as GgufFile
}

describe("a file in the form of Ollama's own engine", () => {
  const cases: readonly [architecture: string, tensors: readonly string[], message: RegExp][] = [
    ['gptoss', [], /Ollama's own engine, as 'gptoss'; .* has the architecture 'gpt-oss'/],
    ['qwen25vl', [], /'qwen2vl'/],
    ['glmocr', [], /'glm4'/],
    ['deepseekocr', [], /'deepseek2-ocr'/],
    ['gemma3', ['token_embd.weight', 'v.blk.0.attn_q.weight'], /such as the tensor 'v\.blk\.0\.attn_q\.weight'/],
    ['qwen35', ['mtp.fc.weight'], /'mtp\.fc\.weight'.*made for llama\.cpp/],
    ['olmo3', [], /'olmo2'/],
    ['gemma3', ['dense.0.weight'], /names of Ollama's own engine, such as 'dense\.0\.weight'/],
    ['lfm2', ['output_norm.weight'], /'output_norm\.weight'/],
    ['qwen3next', ['blk.0.ssm_dt'], /'blk\.0\.ssm_dt'/],
    ['mistral3', ['mm.0.weight'], /'mm\.0\.weight'/],
  ]
  it.each(cases)('%s %j is refused with what to fetch', (architecture, tensors, message) => {
    expect(() => validateModel(header(architecture, tensors))).toThrow(
      expect.objectContaining({ code: 'ERR_UNSUPPORTED', message: expect.stringMatching(message) as string }) as Error,
    )
  })

  it('is not seen in names that only begin alike', () => {
    const refusal = (names: readonly string[]) => {
      try {
        validateModel(header('gemma3', names))
      } catch (error) {
        return (error as Error).message
      }
      return ''
    }
    for (const name of ['vision', 'value.weight', 'mmap', 'attn.weight', 'output.weight'])
      expect(refusal([name])).not.toMatch(/Ollama/)
  })
})
