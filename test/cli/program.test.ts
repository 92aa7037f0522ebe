import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { writeScriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { freshEnvironment, llamero } from './command-line.js'
import { runInProcess } from './in-process.js'

const temporary = temporaryDirectory()
const environment = freshEnvironment(temporary.path)
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const variables = { HTTPS_PROXY: 'http://127.0.0.1:9', DOCKER_CONFIG: temporary.path }
const inProcess = (args: readonly string[]) => runInProcess(environment.LLAMERO_MODELS, args, variables)

it('the program hands its arguments, its version and its exit code through', async () => {
  expect(await llamero(['--version'], { environment })).toMatchObject({
    exitCode: 0,
    stdout: `llamero version is ${version}\n`,
    stderr: '',
  })
  expect(await llamero(['dance'], { environment })).toMatchObject({
    exitCode: 1,
    stdout: '',
    stderr: "Error: unknown command 'dance'\n",
  })
})

describe('help and version', () => {
  it.each([
    [['--version'], `llamero version is ${version}\n`],
    [['-v'], `llamero version is ${version}\n`],
    [['--help'], /^Usage: llamero .*\brun\b.*\bpull\b.*\blist\|ls\b.*LLAMERO_MODELS/s],
    [[], /^Usage: llamero /],
    [['help', 'run'], /^Usage: llamero run .*--seed.*--verbose.*LLAMERO_MODELS/s],
    [['run', '--help'], /^Usage: llamero run /],
    [['pull', '-h'], /^Usage: llamero pull /],
    [['ls', '--help'], /^Usage: llamero list/],
  ])('%j', async (args, stdout) => {
    const ending = await inProcess(args)
    expect(ending).toMatchObject({ exitCode: 0, stderr: '' })
    if (typeof stdout === 'string') expect(ending.stdout).toBe(stdout)
    else expect(ending.stdout).toMatch(stdout)
  })
})

describe('mistakes end with exit code 1 and one line that says what is wrong', () => {
  it.each([
    [['dance'], /^Error: unknown command 'dance'\n/],
    [['pulll', 'x'], /^Error: unknown command 'pulll'\n\(Did you mean pull\?\)\n$/],
    [['run'], /^Error: missing required argument 'model'\n$/],
    [['pull'], /^Error: missing required argument 'model'\n$/],
    [['push'], /^Error: missing required argument 'model'\n$/],
    [['push', 'nobody/has-this:model'], /^retrieving manifest\nError: couldn't retrieve manifest: .*has-this/],
    [['pull', 'a', 'b'], /^Error: too many arguments/],
    [['list', '--frobnicate'], /^Error: unknown option '--frobnicate'\n$/],
    [
      ['run', 'x', 'y', '--seed', 'abc'],
      /^Error: option '--seed <number>' argument 'abc' is invalid\. Expected a whole/,
    ],
    [['run', 'x', 'y', '--seed', '-1'], /Expected a whole number from 0 to 4294967294\.\n$/],
    [['run', 'x', 'y', '--seed', ''], /Expected a whole number from 0 to 4294967294\.\n$/],
    [['run', 'x', 'y', '--temperature', '1e9'], /Expected a number from 0 to 100\.\n$/],
    [['run', 'x', 'y', '--num-predict', '0'], /Expected a whole number from 1 to 2147483647, or -1\.\n$/],
    [['run', 'x y', 'prompt'], /^Error: Expected a model name/],
    [['run', 'smollm2:135m'], /^Error: Expected a prompt, but there is none\. .*llamero run smollm2:135m "/],
    [['run', './missing.gguf', 'hello'], /^Error: .*missing\.gguf/],
    [['run', 'nobody/has-this:model', 'hello'], /^pulling|^Error: .*has-this/],
    [['pull', 'nobody/has-this:model'], /^pulling manifest\nError: pull model manifest: nobody\/has-this:model: /],
  ])('%j', async (args, stderr) => {
    const ending = await inProcess(args)
    expect(ending).toMatchObject({ exitCode: 1, stdout: '' })
    expect(ending.stderr).toMatch(stderr)
  })

  it('--verbose adds the code', async () => {
    const { stderr } = await inProcess(['pull', 'x y', '--verbose'])
    expect(stderr).toMatch(/\(ERR_NAME_INVALID\)\n$/)
  })
  it('names no code otherwise', async () => {
    const { stderr } = await inProcess(['pull', 'x y'])
    expect(stderr).not.toContain('ERR_')
  })
})

describe('pull and list', () => {
  let model: string
  beforeAll(async () => {
    model = await writeScriptedModel(join(temporary.path, 'Tiny.gguf'))
  })

  it('an empty store has no models', async () =>
    expect(await llamero(['list'], { environment })).toMatchObject({
      exitCode: 0,
      stdout: 'NAME    ID    SIZE    MODIFIED\n',
      stderr: '',
    }))

  it('pulls a file, shows it, and says when it is up to date', async () => {
    const first = await llamero(['pull', model], { environment })
    expect(first).toMatchObject({ exitCode: 0, stdout: '' })
    expect(first.stderr).toMatch(/^([a-z][\w ]*\n)+success\nstored as (\S+)\n$/)
    const name = /stored as (\S+)/.exec(first.stderr)?.[1] ?? ''

    const listed = await llamero(['list'], { environment })
    const row = /^(\S+) {4}([0-9a-f]{12}) {4}(\d+ KB) {4}(.+ ago)$/m.exec(listed.stdout)
    expect(row?.[1]).toBe(name)

    const again = await llamero(['pull', model], { environment })
    expect(again).toMatchObject({ exitCode: 0 })
    expect(again.stderr).toMatch(/\nsuccess\n(.+) is up to date\n$/)

    const answer = await llamero(['run', name, 'K9', '--temperature', '0'], { environment })
    expect(answer).toMatchObject({ exitCode: 0, stdout: '0123456789\n\n', stderr: '' })
  })

  it.each([
    ['file/LIB', 2],
    ['FILE', 2],
    ['other', 1],
  ])('ls %s filters by how names begin', async (prefix, lines) => {
    const { stdout } = await llamero(['ls', prefix], { environment })
    expect(stdout.trim().split('\n')).toHaveLength(lines)
  })

  it('warns of a damaged manifest and lists the others', async () => {
    const damaged = join(environment.LLAMERO_MODELS, 'manifests', 'registry.ollama.ai', 'library', 'broken', '1')
    mkdirSync(dirname(damaged), { recursive: true })
    writeFileSync(damaged, '{')
    const { exitCode, stdout, stderr } = await llamero(['list'], { environment })
    expect(exitCode).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(2)
    expect(stderr).toMatch(/^Warning: .*broken:1.*\n$/)
  })
})
