import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { peerPath } from './peer-tool.js'

/** llama.cpp's own server in a process of its own, on loopback. */
export interface PeerServer {
  /** Sends a request for a completion and gives the answer's body. */
  complete(request: object): Promise<Readonly<Record<string, unknown>>>
  close(): Promise<void>
}

/** REQUIRES: `npm run build:peers` has built it. Throws if it ends or does not answer within half a minute. */
export async function startPeerServer(args: readonly string[]): Promise<PeerServer> {
  const port = await freePort()
  const place = ['--host', '127.0.0.1', '--port', String(port), '--no-ui', '--log-disable']
  const child = spawn(peerPath('llama-server'), [...args, ...place], { stdio: 'ignore' })
  const base = `http://127.0.0.1:${port}`
  try {
    await untilReady(base, child)
  } catch (error) {
    await end(child)
    throw error
  }
  return {
    async complete(request) {
      const response = await fetch(`${base}/completion`, { method: 'POST', body: JSON.stringify(request) })
      if (!response.ok) throw new Error(`llama-server: ${await response.text()}`)
      return (await response.json()) as Readonly<Record<string, unknown>>
    },
    close: () => end(child),
  }
}

async function untilReady(base: string, child: ChildProcess): Promise<void> {
  for (let times = 0; times < 300; times++) {
    if (child.exitCode !== null) throw new Error('llama-server ended while it started.')
    const ready = await fetch(`${base}/health`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (ready) return
    await sleep(100)
  }
  throw new Error('llama-server was not ready within half a minute.')
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
