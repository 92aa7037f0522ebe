import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { architectures, fullRotation } from '../../lib/gguf/architecture.js'
import { readGguf, validateModel } from '../../lib/gguf/index.js'
import { limits } from '../../lib/gguf/limits.js'
import { tensorTypes } from '../../lib/gguf/tensor-type.js'
import { cpuTime } from '../support/cpu-time.js'
import { randomArchitectures, randomModel } from '../support/random-model.js'
import { scriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const sources = new URL('../../llama.cpp/source/', import.meta.url)
const models = new URL('models/', sources)
const restored = existsSync(models)
const directory = temporaryDirectory()

const source = (path: string) => readFileSync(new URL(path, sources), 'utf8')

describe.skipIf(!restored)(
  'agreement with the restored llama.cpp (skipped until `npm run build` has fetched it)',
  () => {
    const files = restored ? readdirSync(models).filter((name) => name.endsWith('.gguf')) : []

    it.each(files)('accepts %s as a vocabulary', async (name) => {
      const file = await readGguf(new URL(name, models).pathname)
      validateModel(file, { vocabularyOnly: true })
      expect(() => {
        validateModel(file)
      }).toThrow(/it has no weights/)
    })

    it('finds all 19 of them', () => {
      expect(files).toHaveLength(19)
    })

    it('knows the same architectures', () => {
      const table = /LLM_ARCH_NAMES = \{([^]*?)\n\};/.exec(source('src/llama-arch.cpp'))?.[1] ?? ''
      const names = [...table.matchAll(/"([^"]+)"/g)].map(([, name]) => name)
      expect([...architectures].sort()).toEqual(names.filter((name) => name !== 'clip' && name !== '(unknown)').sort())
    })

    it('knows the same tensor types', () => {
      const table = /enum ggml_type \{([^]*?)\n {4}\};/.exec(source('ggml/include/ggml.h'))?.[1] ?? ''
      const live = table.split('\n').filter((line) => !line.trim().startsWith('//') && !line.includes('COUNT'))
      const types = live.flatMap((line) => {
        const [, name, code] = /GGML_TYPE_(\w+)\s*=\s*(\d+)/.exec(line) ?? []
        return name === undefined ? [] : [[Number(code), name] as const]
      })
      expect([...tensorTypes].map(([code, { name }]) => [code, name])).toEqual(types.sort((a, b) => a[0] - b[0]))
    })

    it.each([...fullRotation])('%s rotates whole heads', (name) => {
      expect(source(`src/models/${name}.cpp`)).toMatch(/^ +GGML_ASSERT\(n_embd_head == n_rot\);$/m)
    })

    it('knows the same fixed sizes', () => {
      const header = source('src/llama-hparams.h')
      expect(Number(/LLAMA_MAX_LAYERS\s+(\d+)/.exec(header)?.[1])).toBe(limits.layers)
      expect(Number(/LLAMA_MAX_EXPERTS\s+(\d+)/.exec(header)?.[1])).toBe(limits.experts)
    })
  },
)

describe('the models that tests are made of', () => {
  it.each(randomArchitectures)('a random %s is valid, below 2 MB and the same every time', async (architecture) => {
    const bytes = randomModel(architecture)
    expect(bytes.length).toBeLessThan(2_000_000)
    expect(Buffer.compare(bytes, randomModel(architecture))).toBe(0)
    expect(Buffer.compare(bytes, randomModel(architecture, { seed: 2 }))).not.toBe(0)
    validateModel(await readGguf(await directory.write('random.gguf', bytes)))
  })

  it('the scripted model is valid and written in milliseconds', async () => {
    const bytes = scriptedModel()
    expect(await cpuTime(() => scriptedModel())).toBeLessThan(500)
    validateModel(await readGguf(await directory.write('scripted.gguf', bytes)))
  })
})
