import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = join(fileURLToPath(new URL('../..', import.meta.url)), '.cmake', 'release', 'bin')

/** Where `npm run build:peers` puts a tool. */
export const peerPath = (name: string): string => join(folder, name)

/** Whether `npm run build:peers` has built a tool of llama.cpp. */
export const hasPeer = (name: string): boolean => existsSync(peerPath(name))

/** Runs a tool of llama.cpp in a folder; throws with what it said if it fails. */
export function runPeer(
  name: string,
  args: readonly string[],
  cwd: string,
  variables: Readonly<Record<string, string>> = {},
): void {
  execFileSync(peerPath(name), args, { cwd, stdio: 'pipe', env: { ...process.env, ...variables } })
}
