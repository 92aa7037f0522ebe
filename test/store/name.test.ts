import { describe, expect, it } from 'vitest'
import { displayName, parseName, sameName } from '../../lib/store/index.js'
import { fileToName, manifestPath } from '../../lib/store/layout.js'
import { storedSpelling } from '../../lib/store/model-index.js'

const parts = (text: string) => {
  const { host, namespace, model, tag } = parseName(text)
  return [host, namespace, model, tag]
}
const invalid = expect.objectContaining({ code: 'ERR_NAME_INVALID' }) as Error

describe('parseName', () => {
  it.each([
    ['smollm2', ['registry.ollama.ai', 'library', 'smollm2', 'latest']],
    ['smollm2:135m', ['registry.ollama.ai', 'library', 'smollm2', '135m']],
    ['ns/m', ['registry.ollama.ai', 'ns', 'm', 'latest']],
    ['ns/m:t', ['registry.ollama.ai', 'ns', 'm', 't']],
    ['host/ns/m:t', ['host', 'ns', 'm', 't']],
    ['host:5000/ns/m', ['host:5000', 'ns', 'm', 'latest']],
    ['host:5000/ns/m:t', ['host:5000', 'ns', 'm', 't']],
    ['https://host/ns/m:t', ['host', 'ns', 'm', 't']],
    ['http://host:80/ns/m', ['host:80', 'ns', 'm', 'latest']],
    ['hf.co/org/Some.Repo-GGUF:Q4_K_M', ['hf.co', 'org', 'Some.Repo-GGUF', 'Q4_K_M']],
    ['_a/_b/_c:_d', ['_a', '_b', '_c', '_d']],
    ['m:local', ['registry.ollama.ai', 'library', 'm', 'latest']],
    ['m:8b:LOCAL', ['registry.ollama.ai', 'library', 'm', '8b']],
    [
      `${'h'.repeat(350)}/${'n'.repeat(80)}/${'m'.repeat(80)}:${'t'.repeat(80)}`,
      ['h'.repeat(350), 'n'.repeat(80), 'm'.repeat(80), 't'.repeat(80)],
    ],
  ])('reads %j', (text, expected) => {
    expect(parts(text)).toEqual(expected)
  })

  it.each([
    ['', 'nothing'],
    [':tag', 'no model before a tag'],
    ['m:', 'no tag behind a colon'],
    ['/m', 'no namespace before a slash'],
    ['ns/', 'no model behind a slash'],
    ['//m', 'no host'],
    ['..', 'dots'],
    ['../m', 'a step up as namespace'],
    ['../../m', 'steps up as host and namespace'],
    ['a/b/c/d/../e', 'a path as host'],
    ['.x', 'a leading dot'],
    ['-x', 'a leading dash'],
    ['m:.t', 'a tag with a leading dot'],
    ['a\\b', 'a backslash'],
    ['a\0b', 'a NUL'],
    ['m\n', 'a newline at the end'],
    ['m:t\n', 'a newline behind the tag'],
    ['m ', 'a space at the end'],
    ['m: t', 'a space in the tag'],
    ['a.b/m', 'a dot in the namespace'],
    ['m@sha256:abc', 'a digest'],
    ['modèle', 'a letter beyond ASCII'],
    ['ｍ', 'a full-width letter'],
    [`${'h'.repeat(351)}/n/m`, 'a host of 351 bytes'],
    [`${'n'.repeat(81)}/m`, 'a namespace of 81 bytes'],
    ['m'.repeat(81), 'a model of 81 bytes'],
    [`m:${'t'.repeat(81)}`, 'a tag of 81 bytes'],
    ['ftp://host/ns/m', 'another scheme'],
    ['m:cloud:local', 'both sources'],
  ])('S2: refuses %j (%s)', (text) => {
    expect(() => parseName(text)).toThrow(invalid)
  })

  it.each(['m:cloud', 'm:8b-cloud'])('says that the cloud model %s is not for us', (text) => {
    expect(() => parseName(text)).toThrow(expect.objectContaining({ code: 'ERR_UNSUPPORTED' }))
  })
})

describe('displayName', () => {
  it.each([
    ['smollm2', 'smollm2:latest'],
    ['Registry.Ollama.AI/Library/M:t', 'M:t'],
    ['ns/m', 'ns/m:latest'],
    ['host/library/m', 'host/library/m:latest'],
    ['host:1/ns/m:t', 'host:1/ns/m:t'],
  ])('shows %s as %s', (text, shown) => {
    expect(displayName(parseName(text))).toBe(shown)
  })
})

describe('the spelling on disk', () => {
  const stored = ['Host/NS/Model:Tag', 'ns2/other', 'Exact:a', 'exact:a'].map(parseName)
  it.each([
    ['host/ns/model:tag', 'Host/NS/Model:Tag'],
    ['HOST/new/x', 'Host/new/x:latest'],
    ['NS2/OTHER', 'ns2/other:latest'],
    ['exact:a', 'exact:a'],
    ['Exact:a', 'Exact:a'],
    ['unknown', 'unknown:latest'],
  ])('of %s is %s', (text, expected) => {
    expect(displayName(storedSpelling(parseName(text), stored))).toBe(expected)
  })

  it('does not make two names of one', () => {
    expect(sameName(parseName('A/B:C'), parseName('a/b:c'))).toBe(true)
    expect(sameName(parseName('a/b:c'), parseName('a/b:d'))).toBe(false)
  })
})

describe('names as paths', () => {
  it('are four folders deep', () => {
    expect(manifestPath('/s', parseName('h:1/n/m:t'), 'linux').replaceAll('\\', '/')).toBe('/s/manifests/h:1/n/m/t')
  })
  it('S2: escape the colon of a port on Windows, and come back', () => {
    expect(manifestPath('s', parseName('h:1/n/m:t'), 'win32').replaceAll('\\', '/')).toBe('s/manifests/h%3A1/n/m/t')
    expect(fileToName('host', 'h%3A1', 'win32')).toBe('h:1')
  })
  it.each(['con', 'NUL', 'nul.txt', 'com1', 'm.'])('S2: refuse %s on Windows', (model) => {
    expect(() => manifestPath('s', parseName(model), 'win32')).toThrow(invalid)
    expect(() => manifestPath('s', parseName(model), 'linux')).not.toThrow()
  })
  it.each(['..', '.x', 'a/b', 'a\nb', 'x\n', ''])('are checked again where the path is made: %j', (model) => {
    expect(() => manifestPath('s', { ...parseName('m'), model })).toThrow(invalid)
  })
})
