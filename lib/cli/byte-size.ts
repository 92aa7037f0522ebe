const units = ['B', 'KB', 'MB', 'GB', 'TB'] as const

/** Bytes in decimal units as Ollama's tables show them: `512 B`, `9.6 GB`, `13 GB`. */
export function byteSize(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  const isShort = value < 10 && !Number.isInteger(value)
  return `${isShort ? value.toFixed(1) : Math.trunc(value)} ${units[unit]}`
}
