import { describe, expect, it } from 'vitest'
import { chooseFiles, type HubFile } from '../../lib/transfer/hub-files.js'
import { parseHubReference } from '../../lib/transfer/hub-reference.js'

const choose = (paths: readonly string[], choice?: string) => {
  const files = paths.map((path): HubFile => ({ path, sizeBytes: 1, sha256: undefined }))
  return chooseFiles(files, parseHubReference(`hf.co/org/repo${choice === undefined ? '' : `:${choice}`}`))
}

const many = ['README.md', 'M-BF16.gguf', 'M-IQ4_XS.gguf', 'M-Q4_K_M.gguf', 'M-Q4_K_S.gguf', 'M-UD-Q5_K_XL.gguf']

describe('the model of a repository', () => {
  it.each<[string, readonly string[], string | undefined, string]>([
    ['Q4_K_M by default', many, undefined, 'M-Q4_K_M.gguf'],
    ['Q4_K_M in small letters', ['a.f16.gguf', 'a.q4_k_m.gguf'], undefined, 'a.q4_k_m.gguf'],
    ['else Q8_0', ['m-F16.gguf', 'm-Q8_0.gguf'], undefined, 'm-Q8_0.gguf'],
    ['else the first', ['mmproj-F16.gguf', 'm-Q2_K.gguf', 'm-Q3_K.gguf'], undefined, 'm-Q2_K.gguf'],
    ['the only one', ['config.json', 'model.gguf'], undefined, 'model.gguf'],
    ['the quantisation that is asked for', many, 'Q4_K_S', 'M-Q4_K_S.gguf'],
    ['in any case of letters', many, 'bf16', 'M-BF16.gguf'],
    ['behind a prefix', many, 'Q5_K_XL', 'M-UD-Q5_K_XL.gguf'],
    ['with its prefix', many, 'UD-Q5_K_XL', 'M-UD-Q5_K_XL.gguf'],
    ['a quantisation that is the name of a folder', ['Q6_K/m.gguf', 'Q8_0/m.gguf'], 'Q8_0', 'Q8_0/m.gguf'],
    ['a file', many, 'm-iq4_xs.gguf', 'M-IQ4_XS.gguf'],
    ['a file without its ending', many, 'M-BF16', 'M-BF16.gguf'],
    ['a file in a folder', ['a/m.gguf', 'b/m.gguf'], 'b/m.gguf', 'b/m.gguf'],
    ['a file that is no model otherwise', ['m.gguf', 'mtp-m.gguf'], 'mtp-m.gguf', 'mtp-m.gguf'],
  ])('is %s', (_, paths, choice, expected) => {
    expect(choose(paths, choice).model.path).toBe(expected)
  })

  it.each<[string, readonly string[], string | undefined, RegExp]>([
    ['a repository without GGUF', ['model.safetensors'], undefined, /no GGUF model at all/],
    ['a quantisation that is not there', many, 'Q8_0', /holds "M-BF16.gguf", .*hf.co\/org\/repo:Q4_K_M/],
    ['a piece of a quantisation', many, '4_XS', /"4_XS"/],
    ['an IQ4 where Q4 is asked for', ['m-IQ4_XS.gguf'], 'Q4_XS', /"Q4_XS"/],
    ['a file that is no GGUF', many, 'README.md.gguf', /README/],
  ])('is not found for %s', (_, paths, choice, message) => {
    expect(() => choose(paths, choice)).toThrow(
      expect.objectContaining({ code: 'ERR_MODEL_NOT_FOUND', message: expect.stringMatching(message) as string }),
    )
  })

  it('that is cut into files is refused by their names', () => {
    const parts = [1, 2, 3].map((part) => `Q8_0/m-Q8_0-0000${part}-of-00003.gguf`)
    const refused = expect.objectContaining({
      code: 'ERR_UNSUPPORTED',
      details: expect.objectContaining({ parts }) as object,
      message: expect.stringMatching(/3 files \("Q8_0\/m-Q8_0-00001-of-00003.gguf".*llamero create/) as string,
    }) as Error
    expect(() => choose([...parts, 'm-Q4_0.gguf'], 'Q8_0')).toThrow(refused)
    expect(choose([...parts, 'm-Q4_0.gguf'], 'Q4_0').model.path).toBe('m-Q4_0.gguf')
  })
})

describe('the projector', () => {
  it.each<[string, readonly string[], string | undefined]>([
    ['is the one beside the model', ['m-Q4_K_M.gguf', 'mmproj-m-f16.gguf'], 'mmproj-m-f16.gguf'],
    ['is the nearest in bits', ['m-Q4_K_M.gguf', 'mmproj-F32.gguf', 'mmproj-Q8_0.gguf'], 'mmproj-Q8_0.gguf'],
    ['is the one in the model’s own folder', ['a/m-Q4_K_M.gguf', 'mmproj.gguf', 'a/mmproj.gguf'], 'a/mmproj.gguf'],
    ['may lie in a folder above', ['a/m-Q4_K_M.gguf', 'mmproj.gguf', 'b/mmproj.gguf'], 'mmproj.gguf'],
    ['of another folder is left out', ['a/m-Q4_K_M.gguf', 'b/mmproj.gguf'], undefined],
    ['need not be', ['m-Q4_K_M.gguf'], undefined],
  ])('%s', (_, paths, expected) => {
    expect(choose(paths).projector?.path).toBe(expected)
  })
})
