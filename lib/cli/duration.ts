const nanosecondsPerMs = 1_000_000
const smallUnits = [
  { limit: 1e3, size: 1, name: 'ns' },
  { limit: 1e6, size: 1e3, name: 'µs' },
  { limit: 1e9, size: 1e6, name: 'ms' },
] as const

/** A duration as Go prints it, to the nanosecond: `1h2m3.5s`, `1.234567891s`, `12.3ms`, `0s`. */
export function goDuration(milliseconds: number): string {
  const nanoseconds = Math.round(milliseconds * nanosecondsPerMs)
  if (nanoseconds === 0) return '0s'
  const small = smallUnits.find(({ limit }) => nanoseconds < limit)
  if (small !== undefined) return quotient(nanoseconds, small.size) + small.name
  const minutes = Math.floor(nanoseconds / 60e9)
  const seconds = `${quotient(nanoseconds % 60e9, 1e9)}s`
  if (minutes === 0) return seconds
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`
}

// In whole numbers, since a fraction such as 0.1 has no exact binary form.
function quotient(value: number, size: number): string {
  const rest = value % size
  const digits = Math.round(Math.log10(size))
  const fraction = rest === 0 ? '' : `.${String(rest).padStart(digits, '0').replace(/0+$/, '')}`
  return `${Math.floor(value / size)}${fraction}`
}

/** Time that is left, short: `45s`, `5m12s`, `1h3m`, `99h+`. */
export function timeLeft(seconds: number): string {
  if (!(seconds < 360_000)) return '99h+'
  const whole = Math.round(seconds)
  const minutes = Math.floor(whole / 60)
  if (minutes === 0) return `${whole}s`
  return minutes < 60 ? `${minutes}m${whole % 60}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m`
}
