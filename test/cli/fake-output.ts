import { Writable } from 'node:stream'
import { Output } from '../../lib/cli/output.js'

export interface FakeOutput {
  readonly output: Output
  /** Everything written so far. */
  readonly text: () => string
}

export function fakeOutput({ isTerminal = false, columns = 80, rows = 24 } = {}): FakeOutput {
  let text = ''
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString()
      done()
    },
  })
  return {
    output: new Output(Object.assign(stream, { columns, rows }), { isTerminal, canRedraw: isTerminal }),
    text: () => text,
  }
}
