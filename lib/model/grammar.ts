import { invalidOption, wellFormed } from '../chat/index.js'
import { type GrammarItem, type GrammarRules, grammarError, parseGrammar } from './grammar-parser.js'

const maxBytes = 65_536
const maxChain = 1024
// Ways are followed side by side, at every character; 256 optional properties of a schema skip some 770 items.
const maxWays = 1536
const maxSkips = 1024
const maxVisits = 1_000_000
const tooDeep = `its rules refer to one another over more than ${maxChain} levels`

/**
 * Checks a GBNF grammar before the engine compiles it, and returns it. Reading recurses into nesting, repetitions are
 * written out, every way to the first character is walked, and left recursion has no end: all are bounded here.
 * Throws `ERR_GRAMMAR`, or `ERR_OPTION_INVALID` for what is not a string.
 */
export function checkGrammar(value: unknown, vocabularySize: number): string {
  if (typeof value !== 'string') throw invalidOption('grammar', 'a GBNF grammar as a string', value)
  const text = wellFormed(value)
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) throw grammarError(`it has ${bytes} bytes, ${maxBytes} are allowed`)
  if (text.includes('\0')) throw grammarError('it holds a NUL character')
  if (text.trimStart().startsWith('%llguidance')) throw grammarError('%llguidance is not supported, write GBNF')
  const rules = parseGrammar(text, vocabularySize)
  if (!rules.has('root')) throw grammarError('it has no rule named root')
  checkReferences(rules, text)
  checkLeftEdges(rules)
  return text
}

function checkReferences(rules: GrammarRules, text: string): void {
  const visit = (alternates: readonly GrammarItem[][]): void => {
    for (const { what } of alternates.flat()) {
      if (what === 'terminal') continue
      if (!('name' in what)) visit(what)
      else if (!rules.has(what.name)) throw grammarError(`there is no rule named "${what.name}"`, text, what.at)
    }
  }
  for (const alternates of rules.values()) visit(alternates)
}

/** What llama.cpp meets when it expands a rule up to its first characters. */
interface LeftEdge {
  readonly nullable: boolean
  /** Ways to a first character, or to the end of an empty rule. */
  readonly ways: number
  /** Rules entered on all these ways; llama.cpp's own search for left recursion takes so many calls. */
  readonly visits: number
  /** Items passed because they may be empty. */
  readonly skips: number
  /** Levels of rules and groups below. */
  readonly height: number
}

function checkLeftEdges(rules: GrammarRules): void {
  const done = new Map<string, LeftEdge>()
  const open = new Set<string>()

  function edgeOfRule(name: string, depth: number): LeftEdge {
    const known = done.get(name)
    if (known !== undefined) return known
    if (open.has(name)) throw grammarError(`rule "${name}" is left-recursive: it can begin with itself`)
    open.add(name)
    const edge = edgeOf(rules.get(name) ?? [], depth)
    open.delete(name)
    done.set(name, edge)
    return edge
  }

  function edgeOfItem({ what, optional, times }: GrammarItem, depth: number): LeftEdge {
    if (what === 'terminal') return { nullable: optional, ways: 1, visits: 1, skips: 0, height: 0 }
    const edge = 'name' in what ? edgeOfRule(what.name, depth + 1) : edgeOf(what, depth + 1)
    // The copies of {m,n} are all entered only where each of them may be empty.
    const copies = edge.nullable ? times : 1
    return {
      nullable: optional || edge.nullable,
      ways: edge.ways * copies,
      visits: (edge.visits + 1) * copies,
      skips: edge.skips * copies + copies - 1,
      height: edge.height + 1,
    }
  }

  function edgeOf(alternates: readonly GrammarItem[][], depth: number): LeftEdge {
    if (depth > maxChain) throw grammarError(tooDeep)
    let nullable = false
    let ways = 0
    let visits = 1
    let skips = 0
    let height = 0
    for (const sequence of alternates) {
      let rest = true
      let run = nothing
      for (const item of sequence) {
        const edge = edgeOfItem(item, depth)
        run = add(run, edge)
        visits += edge.visits
        height = Math.max(height, edge.height)
        if (edge.nullable) continue
        rest = false
        break
      }
      ways += run.ways + (rest ? 1 : 0)
      skips = Math.max(skips, run.skips)
      nullable ||= rest
    }
    if (ways > maxWays) throw grammarError(`it can go on in more than ${maxWays} ways at one place`)
    if (visits > maxVisits) throw grammarError('its rules refer to one another in too many ways')
    if (height > maxChain) throw grammarError(tooDeep)
    return { nullable, ways, visits, skips, height }
  }

  // The same bounds hold inside of sequences, where generation arrives later.
  function checkRuns(alternates: readonly GrammarItem[][]): void {
    for (const sequence of alternates) {
      let run = nothing
      for (const item of sequence) {
        if (isGroup(item.what)) checkRuns(item.what)
        const edge = edgeOfItem(item, 0)
        run = add(run, edge)
        if (!edge.nullable) run = nothing
      }
    }
  }

  let visits = 0
  for (const name of rules.keys()) visits += edgeOfRule(name, 0).visits
  if (visits > maxVisits) throw grammarError('its rules refer to one another in too many ways')
  for (const alternates of rules.values()) checkRuns(alternates)
}

interface Run {
  readonly ways: number
  readonly skips: number
}

const nothing: Run = { ways: 0, skips: 0 }

/** One more item in a row of which all before may be empty. */
function add(run: Run, edge: LeftEdge): Run {
  const ways = run.ways + edge.ways
  const skips = run.skips + edge.skips + (edge.nullable ? 1 : 0)
  if (ways > maxWays) throw grammarError(`it can go on in more than ${maxWays} ways at one place`)
  if (skips > maxSkips) throw grammarError(`more than ${maxSkips} items in a row may be empty`)
  return { ways, skips }
}

function isGroup(what: GrammarItem['what']): what is GrammarItem[][] {
  return Array.isArray(what)
}
