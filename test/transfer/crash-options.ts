import { join } from 'node:path'
import type { PullOptions } from '../../lib/transfer/index.js'

/** Several parts for the weights of the scripted registry; nobody's credentials. */
export function pullOptions(home: string): PullOptions {
  return {
    insecure: true,
    retry: { attempts: 3, pauseMs: 1, idleMs: 10_000 },
    identity: join(home, 'id_ed25519'),
    variables: { DOCKER_CONFIG: home },
    partBytes: 60_000,
  }
}
