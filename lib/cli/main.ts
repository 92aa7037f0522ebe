#!/usr/bin/env node
import { isatty } from 'node:tty'
import { defaultModelsDirectory } from '../runtime/index.js'
import { failureText } from './failure.js'
import { watchSignals } from './interruption.js'
import { Output, type OutputStream } from './output.js'
import { runProgram } from './program.js'

const { env: variables, argv } = process
const stdout = output(process.stdout, 1)
const stderr = output(process.stderr, 2)

function output(stream: OutputStream, descriptor: number): Output {
  const isTerminal = isatty(descriptor)
  return new Output(stream, { isTerminal, canRedraw: isTerminal && variables['TERM'] !== 'dumb' })
}

process.on('uncaughtException', (error) => {
  void stderr.print(failureText(error, true)).finally(() => process.exit(1))
})

void runProgram(argv.slice(2), {
  get stdin() {
    return process.stdin
  },
  stdout,
  stderr,
  interruption: watchSignals(),
  modelsDirectory: defaultModelsDirectory(variables),
  variables,
}).then((exitCode) => {
  // Sockets that are kept open for a next request must not hold the program.
  process.exit(exitCode)
})
