import { contains, type CodePoints } from './code-points.js'
import type { Pattern } from './pattern.js'

/** A state of the automaton: it reads a character and goes on, goes on in several ways, or is the end. */
interface State {
  points?: CodePoints
  next: State[]
}

/**
 * Whether texts match, in time linear in their length: all ways through the pattern are followed side by side, where
 * JavaScript's own expressions try one after the other and may take exponential time.
 */
export function patternMatcher(pattern: Pattern): (text: string) => boolean {
  const end: State = { next: [] }
  const start = before(pattern, end)
  return (text) => {
    let current = closure([start])
    for (const character of text) {
      const point = character.codePointAt(0) ?? 0
      const reached: State[] = []
      for (const { points, next } of current) if (points !== undefined && contains(points, point)) reached.push(...next)
      if (reached.length === 0) return false
      current = closure(reached)
    }
    return current.has(end)
  }
}

/** The state from which `pattern` leads to `next`. */
function before(pattern: Pattern, next: State): State {
  switch (pattern.kind) {
    case 'set':
      return { points: pattern.points, next: [next] }
    case 'sequence':
      return pattern.items.reduceRight((after, item) => before(item, after), next)
    case 'choice':
      return { next: pattern.options.map((option) => before(option, next)) }
    case 'repeat': {
      let state = next
      if (pattern.max === Infinity) {
        const loop: State = { next: [next] }
        loop.next.push(before(pattern.item, loop))
        state = loop
      } else {
        for (let i = pattern.min; i < pattern.max; i++) state = { next: [next, before(pattern.item, state)] }
      }
      for (let i = 0; i < pattern.min; i++) state = before(pattern.item, state)
      return state
    }
  }
}

function closure(states: State[]): Set<State> {
  const found = new Set<State>(states)
  for (const state of found) if (state.points === undefined) for (const next of state.next) found.add(next)
  return found
}
