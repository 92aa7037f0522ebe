import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { endProcess, hasEnded } from '../support/end-process.js'
import { freePort } from '../support/free-port.js'
import type { PrivateCertificate } from '../support/private-authority.js'

/** Whether Debian's package docker-registry is installed. */
export const hasRegistry = spawnSync('docker-registry', ['--version']).status === 0
export const whyNoRegistry = hasRegistry ? '' : ': the program docker-registry is not installed here'

export const user = { name: 'me', password: 'correct horse' }
// bcrypt, as `htpasswd -B` writes it.
const htpasswd = 'me:$2b$04$ByqZVNTXicGpfKk3KZ7B/uoqt8QwMRPou.JHrhf./.EVLbcbb/kKC\n'

export interface RealRegistry extends AsyncDisposable {
  readonly host: string
}

/** Starts a registry of its own on the loopback device. */
export async function startRegistry(
  directory: string,
  { certificate, asksWho = false }: { certificate?: PrivateCertificate; asksWho?: boolean } = {},
): Promise<RealRegistry> {
  const home = mkdtempSync(join(directory, 'registry-'))
  const port = await freePort()
  writeFileSync(join(home, 'htpasswd'), htpasswd)
  const { certPath, keyPath } = certificate ?? {}
  const configuration = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(home, 'data') } },
    http: {
      addr: `127.0.0.1:${port}`,
      secret: 'for a test',
      ...(certificate && { tls: { certificate: certPath, key: keyPath } }),
    },
    ...(asksWho && { auth: { htpasswd: { realm: 'test', path: join(home, 'htpasswd') } } }),
  }
  // JSON is YAML.
  writeFileSync(join(home, 'config.yml'), JSON.stringify(configuration))
  const child = spawn('docker-registry', ['serve', join(home, 'config.yml')], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  while (!(await answers(port))) {
    if (hasEnded(child)) throw new Error(`docker-registry ended: ${said}`)
    await delay(50)
  }
  return {
    host: `localhost:${port}`,
    [Symbol.asyncDispose]: () => endProcess(child),
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
