import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { sleep } from './measure.js'

/**
 * How the busy processes of {@link besideNeighbours} belong together. Linux shares the cores among sessions first, where
 * its autogroups are on: beside `one-program` (a parallel build in another terminal) we may have half of the cores,
 * beside `many-programs` only one part of as many as there are cores and we.
 */
export type Neighbourhood = 'one-program' | 'many-programs'

/** One process per core. */
export const neighbours = availableParallelism()

// Ends with its parent, however that ends.
const spin = 'const parent = process.ppid; while (process.ppid === parent) for (let i = 0; i < 1e7; i++);'
const program = `for (let i = 1; i < ${neighbours}; i++) {
  require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(spin)}], { stdio: 'ignore' })
}
${spin}`

/** Does `work` beside one busy process per core. */
export async function besideNeighbours<Value>(kind: Neighbourhood, work: () => Promise<Value>): Promise<Value> {
  const sources = kind === 'one-program' ? [program] : Array.from({ length: neighbours }, () => spin)
  const leaders = sources.map((source) => spawn(process.execPath, ['-e', source], { stdio: 'ignore', detached: true }))
  try {
    await Promise.all(leaders.map((child) => once(child, 'spawn')))
    await sleep(500)
    return await work()
  } finally {
    await Promise.all(leaders.map(end))
  }
}

async function end(leader: ChildProcess): Promise<void> {
  if (leader.pid === undefined || leader.exitCode !== null || leader.signalCode !== null) return
  const exited = once(leader, 'exit')
  process.kill(-leader.pid, 'SIGKILL')
  await exited
}
