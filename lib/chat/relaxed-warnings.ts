import type { PreparedSchema } from './schema/index.js'

/** A sentence for each keyword that the grammar does not hold. */
export function relaxedWarnings(owner: string, relaxed: PreparedSchema['relaxed']): string[] {
  return relaxed.map(({ pointer, keyword }) => {
    return `${owner}: "${keyword}" at ${pointer === '' ? 'its root' : pointer} does not bind the model; it is checked.`
  })
}
