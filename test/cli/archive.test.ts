import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { mediaTypes, Store } from '../../lib/store/index.js'
import { createModel, modelNames } from '../store/stored-models.js'
import { programCommand } from '../support/child-program.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { freshEnvironment, hasTerminal, llamero, llameroOnTerminal } from './command-line.js'

const temporary = temporaryDirectory()
let here: { readonly HOME: string; readonly LLAMERO_MODELS: string }
let there: typeof here
let source: Store
let target: Store
let file: string
beforeEach(async () => {
  here = freshEnvironment(temporary.path)
  there = freshEnvironment(temporary.path)
  source = new Store({ directory: here.LLAMERO_MODELS })
  target = new Store({ directory: there.LLAMERO_MODELS })
  file = join(here.HOME, 'models.tar')
  await createModel(source, 'a', 'One.')
  await createModel(source, 'ns/b:2', 'Two.')
})

const command = programCommand(new URL('../../lib/cli/main.ts', import.meta.url), [])
/** Runs a line of bash in which $LLAMERO is the program. */
function bash(line: string): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const LLAMERO = command.join(' ')
  return new Promise((resolve) => {
    const env = { ...process.env, HERE: here.LLAMERO_MODELS, THERE: there.LLAMERO_MODELS, FILE: file, LLAMERO }
    execFile('bash', ['-o', 'pipefail', '-c', line], { env }, (error, stdout, stderr) => {
      resolve({ exitCode: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

describe('save and load', () => {
  it('carry models in a file', async () => {
    const saved = await llamero(['save', 'A', 'ns/b:2', '-o', file], { environment: here })
    expect(saved).toMatchObject({ exitCode: 0, stdout: '' })
    expect(saved.stderr).toMatch(/^retrieving manifest\n(saving \w{12}\n){5}success\n$/)
    const loaded = await llamero(['load', '-i', file], { environment: there })
    expect(loaded).toMatchObject({ exitCode: 0, stdout: "loaded 'a:latest'\nloaded 'ns/b:2'\n" })
    expect(loaded.stderr).toMatch(
      /^reading archive\n(loading \w{12}\n){5}verifying sha256 digest\nwriting manifest\nsuccess\n$/,
    )
    for (const name of ['a', 'ns/b:2'])
      expect((await target.resolve(name)).manifestDigest).toBe((await source.resolve(name)).manifestDigest)
  })

  it('carry models through pipes', async () => {
    const ending = await bash('LLAMERO_MODELS=$HERE $LLAMERO save a ns/b:2 | LLAMERO_MODELS=$THERE $LLAMERO load')
    expect(ending).toMatchObject({ exitCode: 0, stdout: "loaded 'a:latest'\nloaded 'ns/b:2'\n" })
    expect(await modelNames(target)).toEqual(['a:latest', 'ns/b:2'])
    expect((await target.verify()).isClean).toBe(true)
  })

  it('take nothing over from half an archive', async () => {
    const ending = await bash(
      'LLAMERO_MODELS=$HERE $LLAMERO save a | head -c 5000 | LLAMERO_MODELS=$THERE $LLAMERO load',
    )
    expect(ending).toMatchObject({ exitCode: 1, stdout: '' })
    expect(ending.stderr).toMatch(/Error: .*it was cut off/)
    expect(await modelNames(target)).toEqual([])
  })

  it('name the cure where the archive is compressed', async () => {
    const ending = await bash(
      'LLAMERO_MODELS=$HERE $LLAMERO save a | gzip > $FILE; LLAMERO_MODELS=$THERE $LLAMERO load -i $FILE; gunzip -c $FILE | LLAMERO_MODELS=$THERE $LLAMERO load',
    )
    expect(ending).toMatchObject({ exitCode: 0, stdout: "loaded 'a:latest'\n" })
    expect(ending.stderr).toContain('gunzip -c FILE | llamero load')
  })
})

describe('save', () => {
  it('fails where its reader leaves', async () => {
    const { digest, sizeBytes: size } = await source.blobs.ingest([Buffer.alloc(4_000_000, 'x')])
    const { layers } = await source.resolve('a')
    await source.createModel('big', { layers: [...layers, { mediaType: mediaTypes.license, digest, size }] })
    const ending = await bash('LLAMERO_MODELS=$HERE $LLAMERO save big | head -c 10000 | wc -c')
    expect(ending).toMatchObject({ exitCode: 1, stdout: '10000\n' })
    expect(ending.stderr).toMatch(/Error: The output could not be written/)
  })

  it.each([
    [['save', 'nothing', '-o', 'x.tar'], /^Error: model 'nothing' not found in .*\. 'llamero list' /],
    [['save'], /^Error: missing required argument 'model'\n$/],
  ])('%j ends with exit code 1', async (args, stderr) => {
    const ending = await llamero(args, { environment: here })
    expect(ending).toMatchObject({ exitCode: 1, stdout: '' })
    expect(ending.stderr).toMatch(stderr)
    expect(existsSync('x.tar')).toBe(false)
  })

  it('leaves no file when it is interrupted', async () => {
    const when = {
      shown: 'retrieving manifest',
      act: (child: { kill(signal: 'SIGINT'): unknown }) => child.kill('SIGINT'),
    }
    const ending = await llamero(['save', 'a', '-o', file], { environment: here, when })
    // It may have been quicker.
    if (ending.exitCode === 0) expect(readFileSync(file).length).toBeGreaterThan(1000)
    else {
      expect(ending).toMatchObject({ exitCode: 130 })
      expect(readdirSync(here.HOME)).toEqual(['models'])
    }
  })
})

describe('load', () => {
  it.each([
    [
      'there is no file',
      ['load', '-i', 'nowhere.tar'],
      '',
      /^reading archive\nError: There is no file "nowhere\.tar"\.\n$/,
    ],
    ['standard input is empty', ['load'], '', /it is empty/],
    ['it is no archive', ['load'], 'hello', /cut off|no tar file/],
  ])('fails if %s', async (_, args, input, stderr) => {
    const ending = await llamero(args, { environment: there, input })
    expect(ending).toMatchObject({ exitCode: 1, stdout: '' })
    expect(ending.stderr).toMatch(stderr)
  })

  it('stops at Ctrl-C while its pipe is silent', async () => {
    const when = { shown: 'reading archive', act: (child: { kill(signal: 'SIGINT'): unknown }) => child.kill('SIGINT') }
    const ending = await llamero(['load'], { environment: there, holdsInput: true, when })
    expect(ending).toMatchObject({ exitCode: 130, stdout: '' })
    expect(ending.stderr).toContain('Stopped. What has arrived is kept for the next try.')
  })
})

describe.skipIf(!hasTerminal)('a terminal', () => {
  it('is written no archive', async () => {
    const { exitCode, stdout } = await llameroOnTerminal(['save', 'a'], { environment: here })
    expect({ exitCode, stdout: stdout.replace(/\s+/g, ' ') }).toEqual({
      exitCode: 1,
      stdout:
        'Error: A terminal is no place for an archive. Name a file, as in: llamero save MODEL -o FILE.tar, or redirect the output. ',
    })
  })

  it('is read no archive', async () => {
    const { exitCode, stdout } = await llameroOnTerminal(['load'], { environment: there })
    expect(exitCode).toBe(1)
    expect(stdout.replace(/\s+/g, ' ')).toContain('Error: Expected an archive. Name its file')
  })

  it('shows bars', async () => {
    writeFileSync(file, '')
    const { exitCode, stdout } = await llameroOnTerminal(['save', 'a', '-o', file], { environment: here })
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/saving \w{12}: 100% ▕█+▏/)
  })
})
