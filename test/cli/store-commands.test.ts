import { readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { beforeEach, describe, expect, it } from 'vitest'
import { metadataText } from '../../lib/cli/metadata-text.js'
import { runProgram } from '../../lib/cli/program.js'
import { mediaTypes, Store } from '../../lib/store/index.js'
import { age, createModel, putManifest, weights } from '../store/stored-models.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { fakeOutput } from './fake-output.js'

const temporary = temporaryDirectory()
let store: Store
let count = 0
beforeEach(() => {
  store = new Store({ directory: join(temporary.path, `store-${(count += 1)}`) })
})

async function llamero(...args: readonly string[]) {
  const [stdout, stderr] = [fakeOutput(), fakeOutput()]
  const exitCode = await runProgram(args, {
    stdin: Readable.from([]),
    stdout: stdout.output,
    stderr: stderr.output,
    interruption: { signal: new AbortController().signal, cause: undefined },
    modelsDirectory: store.directory,
    variables: {},
  })
  return { exitCode, stdout: stdout.text(), stderr: stderr.text() }
}
const names = async () => (await store.list()).models.map(({ displayName }) => displayName).sort()

describe('cp', () => {
  it("copies in Ollama's words", async () => {
    await createModel(store, 'a')
    expect(await llamero('cp', 'A', 'ns/b:1')).toEqual({ exitCode: 0, stdout: "copied 'A' to 'ns/b:1'\n", stderr: '' })
    expect(await names()).toEqual(['a:latest', 'ns/b:1'])
  })

  it.each([
    [['cp', 'nothing', 'b'], /^Error: model "nothing" not found\. /],
    [['cp', 'a', 'b c'], /^Error: Expected a model name .*"b c"/],
    [['cp', 'a'], /^Error: missing required argument 'destination'\n$/],
  ])('%j ends with exit code 1', async (args, stderr) => {
    await createModel(store, 'a')
    const ending = await llamero(...args)
    expect(ending).toMatchObject({ exitCode: 1, stdout: '' })
    expect(ending.stderr).toMatch(stderr)
    expect(await names()).toEqual(['a:latest'])
  })
})

describe('rm', () => {
  it('removes several, up to the first that is not there', async () => {
    for (const name of ['a', 'b', 'c']) await createModel(store, name)
    const { exitCode, stdout, stderr } = await llamero('rm', 'A:latest', 'nothing', 'b')
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "deleted 'A:latest'\n" })
    expect(stderr).toMatch(/^Error: model 'nothing' not found\. /)
    expect(await names()).toEqual(['b:latest', 'c:latest'])
    expect(await llamero('rm', 'b', 'c')).toEqual({
      exitCode: 0,
      stdout: "deleted 'b'\ndeleted 'c'\n",
      stderr: '',
    })
    expect(readdirSync(join(store.directory, 'blobs'))).toEqual([])
  })

  it('removes what came from a package by the reference that fetched it', async () => {
    await createModel(store, 'pypi/library/tiny:1.0')
    expect(await llamero('rm', 'pypi:tiny==1.0')).toMatchObject({ exitCode: 0, stdout: "deleted 'pypi:tiny==1.0'\n" })
    expect(await names()).toEqual([])
  })

  it.each([[['rm']], [['rm', './a.gguf']], [['rm', '../a']]])('%j ends with exit code 1', async (args) => {
    await createModel(store, 'a')
    expect(await llamero(...args)).toMatchObject({ exitCode: 1, stdout: '' })
    expect(await names()).toEqual(['a:latest'])
  })
})

describe('show', () => {
  async function createShown(): Promise<void> {
    const { digest, sizeBytes } = await store.blobs.ingest([weights])
    await store.createModel('m', {
      layers: [
        { mediaType: mediaTypes.model, digest, size: sizeBytes },
        await store.addLayer(mediaTypes.system, ' Be terse.\n\nBe kind.\nBe there.\n'),
        await store.addLayer(mediaTypes.params, '{"stop":["<a>","b"],"temperature":0.5}'),
        await store.addLayer(mediaTypes.license, 'One.\n'),
        await store.addLayer(mediaTypes.license, 'Another.'),
      ],
    })
  }

  it("prints Ollama's sections", async () => {
    await createShown()
    const { parameterSize, contextLength, embeddingLength, quantization } = await store.show('m')
    const { exitCode, stdout, stderr } = await llamero('show', 'M')
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toBe(
      [
        '  Model',
        '    architecture        llama',
        `    parameters          ${parameterSize}`,
        `    context length      ${contextLength}`,
        `    embedding length    ${embeddingLength}`,
        `    quantization        ${quantization}`,
        '',
        '  Capabilities',
        '    completion',
        '',
        '  Parameters',
        '    stop           "<a>"',
        '    stop           "b"',
        '    temperature    0.5',
        '',
        '  System',
        '    Be terse.',
        '    Be kind.',
        '    ...',
        '',
        '  License',
        '    One.',
        '    Another.',
        '',
        '',
      ].join('\n'),
    )
  })

  it.each([
    ['--license', /^One\.\n\nAnother\.\n$/],
    ['--system', /^ Be terse\.\n\nBe kind\.\nBe there\.\n\n$/],
    [
      '--modelfile',
      /^# Modelfile generated by "llamero show"\n[^]*\n# FROM m:latest\n\nFROM \/.*\nSYSTEM " Be terse[^]*Another\.\n\n$/,
    ],
    ['--parameters', /^stop {27}"<a>"\nstop {27}"b"\ntemperature {20}0\.5\n$/],
    ['--template', /^\{.*im_start.*\n$/s],
  ])('%s prints that alone', async (flag, stdout) => {
    await createShown()
    const ending = await llamero('show', 'm', flag)
    expect(ending).toMatchObject({ exitCode: 0, stderr: '' })
    expect(ending.stdout).toMatch(stdout)
  })

  it('-v adds metadata, sorted and cut, and tensors', async () => {
    await createShown()
    const { stdout } = await llamero('show', 'm', '-v')
    const { header, parameterCount } = await store.show('m')
    expect(stdout).toContain(`general.parameter_count`)
    expect(stdout).toContain(` ${parameterCount}\n`)
    expect(stdout).toMatch(/^ {4}tokenizer\.ggml\.tokens +\[.* \.\.\.\+\d+ more\]$/m)
    expect(stdout).not.toContain('tokenizer.chat_template')
    const keys = [...stdout.matchAll(/^ {4}((?:general|llama|tokenizer)\.\S+)/gm)].map(([, key]) => key ?? '')
    expect(keys).toEqual(keys.toSorted())
    for (const { name, dimensions } of header?.tensors ?? []) {
      expect(stdout.split('\n').find((line) => line.startsWith(`    ${name} `))).toContain(`[${dimensions.join(' ')}]`)
    }
  })

  it('more than one part is a mistake', async () => {
    expect(await llamero('show', 'm', '--system', '--license')).toEqual({
      exitCode: 1,
      stdout: '',
      stderr:
        "Error: only one of '--license', '--modelfile', '--parameters', '--system', or '--template' can be specified\n",
    })
  })

  it('of a model that is not there says so', async () => {
    const { exitCode, stderr } = await llamero('show', 'nothing')
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^Error: model 'nothing' not found\. /)
  })
})

describe('a value of the metadata', () => {
  it.each([
    [{ type: 'uint32', value: 1048576 }, '1048576'],
    [{ type: 'uint64', value: 2n ** 60n }, '1152921504606846976'],
    [{ type: 'float32', value: Math.fround(0.00001) }, '1e-05'],
    [{ type: 'float32', value: Math.fround(0.1) }, '0.1'],
    [{ type: 'float64', value: 0.1 }, '0.1'],
    [{ type: 'bool', value: true }, 'true'],
    [{ type: 'array', elementType: 'bool', value: Uint8Array.of(1, 0) }, '[true ...+1 more]'],
    [{ type: 'array', elementType: 'int32', value: Int32Array.of(1, 2, 3, 4, 5) }, '[1 2 3 ...+2 more]'],
    [{ type: 'array', elementType: 'int32', value: Int32Array.of() }, '[]'],
    [
      { type: 'array', elementType: 'int64', value: BigInt64Array.of(-(2n ** 60n), 1n) },
      '[-1152921504606846976 ...+1 more]',
    ],
  ] as const)('%o is %s', (value, text) => expect(metadataText(value)).toBe(text))
})

describe('verify', () => {
  it('of a whole store says what it hashed', async () => {
    await createModel(store, 'a')
    const { exitCode, stdout, stderr } = await llamero('verify')
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toMatch(/^verified 3 blobs of 1 model, \d+ KB\n$/)
  })

  it('names what is wrong, and the models to pull again; exit code 1', async () => {
    const { modelPath, modelDigest } = await createModel(store, 'a')
    await store.copy('a', 'b')
    const bytes = Buffer.from(weights)
    bytes[1000] = (bytes[1000] ?? 0) ^ 1
    writeFileSync(modelPath, bytes)
    putManifest(store, 'half', '{')
    const { exitCode, stdout, stderr } = await llamero('verify')
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/^The manifest of half:latest is damaged/)
    expect(stdout).toContain(
      `The blob ${modelDigest} has other content than its name says. Pull again: a:latest, b:latest\n`,
    )
    expect(stderr).toBe('Error: the store has 2 damaged files\n')
    rmSync(modelPath)
    expect((await llamero('verify', 'B')).stdout).toContain('is missing. Pull again: b:latest\n')
  })

  it('of a model that is not there says so', async () => {
    const { exitCode, stderr } = await llamero('verify', 'nothing')
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^Error: .*nothing:latest/)
  })

  it('shows how far it is on a terminal, and leaves no trace of that', async () => {
    await createModel(store, 'a')
    const [stdout, stderr] = [fakeOutput(), fakeOutput({ isTerminal: true })]
    const interruption = { signal: new AbortController().signal, cause: undefined }
    const context = { stdin: Readable.from([]), stdout: stdout.output, stderr: stderr.output, interruption }
    await runProgram(['verify'], { ...context, modelsDirectory: store.directory, variables: {} })
    expect(stderr.text()).toMatch(/\r\u001b\[J$/)
  })

  it('is stopped by a signal', async () => {
    await createModel(store, 'a')
    const [stdout, stderr] = [fakeOutput(), fakeOutput()]
    const interruption = { signal: AbortSignal.abort(), cause: 'SIGINT' } as const
    const context = { stdin: Readable.from([]), stdout: stdout.output, stderr: stderr.output, interruption }
    expect(await runProgram(['verify'], { ...context, modelsDirectory: store.directory, variables: {} })).toBe(130)
    expect(stdout.text()).toBe('')
  })
})

describe('prune', () => {
  it('says how much it freed', async () => {
    await createModel(store, 'a')
    const { digest } = await store.blobs.ingest([Buffer.alloc(2000)])
    await store.blobs.release([digest])
    expect(await llamero('prune')).toEqual({ exitCode: 0, stdout: 'removed 0 files, freed 0 B\n', stderr: '' })
    utimesSync(store.blobs.path(digest), 1, 1)
    expect(await llamero('prune')).toEqual({ exitCode: 0, stdout: 'removed 1 file, freed 2 KB\n', stderr: '' })
    expect((await store.verify()).isClean).toBe(true)
  })

  it('keeps all blobs beside a damaged manifest, and says so', async () => {
    await store.blobs.release([(await store.blobs.ingest([Buffer.alloc(10)])).digest])
    putManifest(store, 'half', '{')
    age(store, 'blobs')
    const { exitCode, stdout, stderr } = await llamero('prune')
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'removed 0 files, freed 0 B\n' })
    expect(stderr).toMatch(/^Warning: The manifest of half:latest .*\nWarning: No blob was removed, .*\n$/)
  })
})
