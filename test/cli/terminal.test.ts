import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { writeScriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { freshEnvironment, hasTerminal, llameroOnTerminal } from './command-line.js'
import { screenOf } from './screen.js'

const temporary = temporaryDirectory()
const environment = freshEnvironment(temporary.path)
const ctrlC = '\u0003'
let model: string

beforeAll(async () => {
  model = await writeScriptedModel(join(temporary.path, 'tiny.gguf'))
})

describe.runIf(hasTerminal)('on a terminal', () => {
  const answering = (...args: string[]) => ['run', model, 'K9', '--temperature', '0', ...args]

  it('shows how loading goes, then only the answer and a blank line', async () => {
    const { exitCode, stdout } = await llameroOnTerminal(answering(), { environment })
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/loading model [⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/)
    expect(screenOf(stdout)).toEqual(['0123456789', '', ''])
  })

  it('breaks lines unless told not to', async () => {
    const endless = ['run', model, 'K0', '--temperature', '0', '--num-predict', '26']
    const wrapped = await llameroOnTerminal(endless, { environment, columns: 20 })
    expect(screenOf(wrapped.stdout, 20)).toEqual(['abcdefghijklmno', 'pqrstuvwxyz', '', ''])
    const unwrapped = await llameroOnTerminal([...endless, '--nowordwrap'], { environment, columns: 20 })
    expect(screenOf(unwrapped.stdout, 20)).toEqual(['abcdefghijklmnopqrst', 'uvwxyz', '', ''])
  })

  it('sends no sequences to a terminal that knows none', async () => {
    const { stdout } = await llameroOnTerminal(answering(), { environment: { ...environment, TERM: 'dumb' } })
    expect(stdout).toBe('0123456789\r\n\r\n')
  })

  it('uses no colours and never hides the cursor', async () => {
    const { stdout } = await llameroOnTerminal(answering(), { environment })
    expect(stdout).not.toMatch(/\u001b\[[\d;?]*[mhl]/)
  })

  it('asks for a prompt if there is none', async () => {
    const { exitCode, stdout } = await llameroOnTerminal(['run', model], { environment })
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/^Error: Expected a prompt, but there is none\./)
  })

  it('keeps the bars on the terminal and the answer clean when the answer goes elsewhere', async () => {
    const file = join(temporary.path, 'answer.txt')
    const { stdout } = await llameroOnTerminal(answering(), { environment, shell: `"$@" > '${file}'; cat '${file}'` })
    expect(stdout).toContain('loading model')
    expect(screenOf(stdout)).toEqual(['0123456789', '', ''])
    expect(stdout.endsWith('0123456789\r\n\r\n')).toBe(true)
  })

  it('draws the stages of a pull and leaves them', async () => {
    const { exitCode, stdout } = await llameroOnTerminal(['pull', model], { environment })
    expect(exitCode).toBe(0)
    const screen = screenOf(stdout)
    expect(screen.slice(-3)).toEqual(['success', expect.stringMatching(/^stored as \S+$/), ''])
  })

  it('Ctrl-C ends an answer with exit code 0 and leaves the terminal as it was', async () => {
    const { exitCode, stdout } = await llameroOnTerminal(['run', model, 'K0', '--temperature', '0'], {
      environment,
      keys: { shown: 'xyz', press: ctrlC },
      shell: 'trap : INT; before=$(stty -g); "$@"; code=$?; test "$before" = "$(stty -g)" && echo same; exit $code',
    })
    expect(exitCode).toBe(0)
    expect(screenOf(stdout).slice(-2)).toEqual(['same', ''])
  })

  it('Ctrl-C while the model loads ends with exit code 130', async () => {
    const { exitCode } = await llameroOnTerminal(answering(), {
      environment: freshEnvironment(temporary.path),
      keys: { shown: 'loading model', press: ctrlC },
    })
    expect(exitCode).toBe(130)
  })
})
