import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { endProcess, hasEnded } from './end-process.js'
import { freePort } from './free-port.js'
import { peerPath } from './peer-tool.js'

/** llama.cpp's own server in a process of its own, on loopback. */
export interface PeerServer {
  /** `http://host:port` */
  readonly base: string
  /** Sends a request for a completion and gives the answer's body. */
  complete(request: object): Promise<Readonly<Record<string, unknown>>>
  close(): Promise<void>
}

const startMs = 60_000

/**
 * Starts it on a free port, with a model and what else `args` say. REQUIRES: `npm run build:peers` has built the program
 * `path`. Throws if it ends while it starts, or does not answer within a minute.
 */
export async function startPeerServer(
  args: readonly string[],
  path: string = peerPath('llama-server'),
): Promise<PeerServer> {
  const port = await freePort()
  const place = ['--host', '127.0.0.1', '--port', String(port), '--no-ui', '--log-disable']
  const child = spawn(path, [...args, ...place], { stdio: 'ignore' })
  const base = `http://127.0.0.1:${port}`
  const close = (): Promise<void> => endProcess(child, 'SIGKILL')
  try {
    await untilReady(base, child)
  } catch (error) {
    await close()
    throw error
  }
  return {
    base,
    async complete(request) {
      const response = await fetch(`${base}/completion`, { method: 'POST', body: JSON.stringify(request) })
      if (!response.ok) throw new Error(`llama-server: ${await response.text()}`)
      return (await response.json()) as Readonly<Record<string, unknown>>
    },
    close,
  }
}

async function untilReady(base: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + startMs
  while (performance.now() < deadline) {
    if (hasEnded(child)) throw new Error('llama-server ended while it started.')
    const ready = await fetch(`${base}/health`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (ready) return
    await sleep(50)
  }
  throw new Error('llama-server was not ready within a minute.')
}
