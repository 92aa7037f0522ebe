import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { predict, renderChat } from '../support/script.js'
import { writeScriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { freshEnvironment, llamero } from './command-line.js'

const temporary = temporaryDirectory()
const environment = freshEnvironment(temporary.path)
let model: string

beforeAll(async () => {
  model = await writeScriptedModel(join(temporary.path, 'scripted.gguf'), { contextLength: 256 })
})

const run = (args: readonly string[], input = '') =>
  llamero(['run', model, '--temperature', '0', ...args], { environment, input })

const saying = (content: string, maxTokens: number, system?: string) => {
  const user = { role: 'user', content }
  return predict(renderChat(system === undefined ? [user] : [{ role: 'system', content: system }, user]), { maxTokens })
}

describe('run', () => {
  it('writes the answer and a blank line to standard output, and nothing else anywhere', async () =>
    expect(await run(['K9'])).toEqual({ exitCode: 0, signal: null, stdout: '0123456789\n\n', stderr: '' }))

  it.each([
    ['the words of the arguments, joined', ['K9', 'K9', 'K0'], '', 'K9 K9 K0'],
    ['a pipe', [], 'K9\n', 'K9\n'],
    ['a pipe first, then the arguments', ['K0'], 'K9 K9', 'K9 K9 K0'],
    ['the arguments if the pipe is blank', ['K9'], ' \n', 'K9'],
    ['a pipe with a byte order mark', [], '\ufeffK9', 'K9'],
  ])('takes the prompt from %s', async (_, args, input, prompt) => {
    const { stdout } = await run([...args, '--num-predict', '20'], input)
    expect(stdout).toBe(`${saying(prompt, 20).text}\n\n`)
  })

  it('--num-predict ends the answer, -1 lets it run until the context is full', async () => {
    expect((await run(['K0', '--num-predict', '7'])).stdout).toBe('abcdefg\n\n')
    const endless = await run(['K0', '--num-predict', '-1'])
    expect(endless.exitCode).toBe(0)
    expect(endless.stdout.length).toBeGreaterThan(200)
    expect(endless.stderr).toBe('The answer was cut off: the context of 256 tokens is full.\n')
  })

  it('--system gives instructions', async () => {
    const { stdout } = await run(['K0', '--system', 'K9 K9 K9', '--num-predict', '5'])
    expect(stdout).toBe(`${saying('K0', 5, 'K9 K9 K9').text}\n\n`)
    expect(stdout).not.toBe(`${saying('K0', 5).text}\n\n`)
  })

  it('--seed and --temperature reach the sampler', async () => {
    const warm = (seed: string) =>
      llamero(['run', model, 'K0 K1', '--temperature', '9', '--seed', seed, '--num-predict', '40'], { environment })
    const [first, same, other] = [await warm('1'), await warm('1'), await warm('2')]
    expect(first).toEqual(same)
    expect(first.stdout).not.toBe(other.stdout)
  })

  it('--verbose writes the statistics to standard error', async () => {
    const { stdout, stderr } = await run(['K9', '--verbose'])
    expect(stdout).toBe('0123456789\n\n')
    const labels = [
      /^total duration: {7}\d[\d.]*(ms|s)$/,
      /^load duration: {8}\d[\d.]*(ms|s)$/,
      /^prompt eval count: {4}\d+ token\(s\)$/,
      /^prompt eval duration: \d[\d.]*(µs|ms|s)$/,
      /^prompt eval rate: {5}\d+\.\d\d tokens\/s$/,
      /^eval count: {11}1[01] token\(s\)$/,
      /^eval duration: {8}\d[\d.]*(µs|ms|s)$/,
      /^eval rate: {12}\d+\.\d\d tokens\/s$/,
    ]
    const lines = stderr.trimEnd().split('\n')
    expect(lines).toHaveLength(labels.length)
    for (const [index, label] of labels.entries()) expect(lines[index]).toMatch(label)
  })

  it('accepts --nowordwrap', async () => expect((await run(['K9', '--nowordwrap'])).stdout).toBe('0123456789\n\n'))

  it('takes words that look like options after --', async () =>
    expect((await run(['--num-predict', '3', '--', '--K9'])).stdout).toBe(`${saying('--K9', 3).text}\n\n`))

  it('refuses a prompt that the context cannot hold', async () => {
    const { exitCode, stdout, stderr } = await run([], 'K0 '.repeat(2000))
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toMatch(/^Error: .*256/)
  })

  it('refuses a file that is no model', async () => {
    const file = await temporary.write('text.gguf', 'no model')
    const { exitCode, stderr } = await llamero(['run', file, 'hello', '--verbose'], { environment })
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^Error: .*\(ERR_MODEL_INVALID\)\n$/)
  })
})

describe('a reader that leaves early', () => {
  it('ends the program quietly', async () => {
    const ending = await llamero(['run', model, 'K0', '--temperature', '0'], {
      environment,
      when: { shown: 'abc', act: ({ stdout }) => stdout?.destroy() },
    })
    expect(ending).toMatchObject({ exitCode: 0, stderr: '' })
  })
  it.runIf(existsSync('/dev/full'))('a full disk is told', () => {
    const child = spawnSync(
      'sh',
      ['-c', '"$@" > /dev/full', 'sh', process.execPath, '--import', 'tsx', 'lib/cli/main.ts', 'run', model, 'K9'],
      { env: { ...process.env, ...environment }, encoding: 'utf8' },
    )
    expect(child.status).toBe(1)
    expect(child.stderr).toMatch(/^Error: The output could not be written: ENOSPC/)
  })
})
