import { readFileSync } from 'node:fs'

// USER_HZ, which Linux fixes for what it tells programs.
const msPerTick = 10

/**
 * Time that the host took this machine's cores away while they had work, in ms since the start, in steps of 10; 0 where
 * the system does not tell (proc_stat(5): "steal").
 */
export function stolenMs(): number {
  try {
    const [line] = readFileSync('/proc/stat', 'latin1').split('\n', 1)
    return Number(line?.trim().split(/\s+/)[8] ?? 0) * msPerTick
  } catch {
    return 0
  }
}
