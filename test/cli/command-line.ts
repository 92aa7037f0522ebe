import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { programCommand } from '../support/child-program.js'

/** How a command ended. */
export interface Ending {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  /** Added to the environment of the test. */
  readonly environment?: Readonly<Record<string, string>>
  /** What comes through the pipe of standard input. @default nothing, the end at once */
  readonly input?: string
  /** Leaves standard input open after `input`. @default false */
  readonly holdsInput?: boolean
  /** Called once, when standard output or error has shown a text. */
  readonly when?: { readonly shown: string | RegExp; readonly act: (child: ChildProcess) => void }
}

const program = new URL('../../lib/cli/main.ts', import.meta.url)

/** The environment of a person with a home, and a store of models, of their own. */
export function freshEnvironment(directory: string): { readonly HOME: string; readonly LLAMERO_MODELS: string } {
  const home = mkdtempSync(join(directory, 'home-'))
  return { HOME: home, LLAMERO_MODELS: join(home, 'models') }
}

/** Runs `llamero` between pipes. */
export function llamero(args: readonly string[], options: CommandOptions = {}): Promise<Ending> {
  const [command, ...rest] = programCommand(program, args)
  return ending(spawn(command, rest, { env: { ...process.env, ...options.environment } }), options)
}

export interface TerminalOptions extends Pick<CommandOptions, 'environment'> {
  readonly columns?: number
  /** Pressed once the terminal has shown a text. */
  readonly keys?: { readonly shown: string; readonly press: string }
  /** Runs in place of `llamero` alone: a line of sh in which "$@" is the command. @default '"$@"' */
  readonly shell?: string
}

// pty.spawn would do, but it cannot set the size before the program starts.
const terminalProgram = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
import threading
def keys():
    while True:
        pressed = os.read(0, 1024)
        if not pressed: return
        os.write(terminal, pressed)
threading.Thread(target=keys, daemon=True).start()
while True:
    try: shown = os.read(terminal, 65536)
    except OSError: break
    if not shown: break
    os.write(1, shown)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
os._exit(code if code >= 0 else 128 - code)
`

/** Whether a terminal can be had: Python makes one. */
export const hasTerminal = spawnSync('python3', ['-c', 'import pty']).status === 0

/** Runs `llamero` on a terminal; what the terminal was sent is in `stdout`. */
export function llameroOnTerminal(args: readonly string[], options: TerminalOptions = {}): Promise<Ending> {
  const { columns = 80, keys, environment = {}, shell = '"$@"' } = options
  const variables = Object.entries({ TERM: 'xterm', ...environment }).map(([name, value]) => `${name}=${value}`)
  const child = spawn('python3', [
    ...['-c', terminalProgram, 'sh', '-c', `stty cols ${columns} rows 24; ${shell}`, 'sh', 'env', ...variables],
    ...programCommand(program, args),
  ])
  return ending(child, {
    ...(keys && { when: { shown: keys.shown, act: ({ stdin }) => stdin?.write(keys.press) } }),
    holdsInput: true,
  })
}

function ending(
  child: ReturnType<typeof spawn>,
  { input = '', when, holdsInput = false }: CommandOptions,
): Promise<Ending> {
  const output = { stdout: '', stderr: '' }
  let hasActed = false
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      if (when === undefined || hasActed || !shows(output[name], when.shown)) return
      hasActed = true
      when.act(child)
    })
  }
  // A program that ends before it has read everything is no failure of the test.
  child.stdin?.on('error', () => undefined)
  child.stdin?.write(input)
  if (!holdsInput) child.stdin?.end()
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode, signal) => {
      child.stdin?.destroy()
      resolve({ exitCode, signal, ...output })
    })
  })
}

function shows(text: string, wanted: string | RegExp): boolean {
  return typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text)
}
