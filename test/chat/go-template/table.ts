import { describe, expect, it } from 'vitest'
import { LlameroError } from '../../../lib/errors.js'
import { executeSource } from './execute-source.js'

/** What the templates of the tables look into. */
export const tableData = {
  name: 'Ada',
  n: 3,
  f: 2.5,
  big: 1000000,
  yes: true,
  no: false,
  empty: '',
  null: null,
  list: ['a', 'b', 'c'],
  none: [],
  map: { b: 2, a: 1, é: 3 },
  deep: { x: { y: [{ z: 'end' }] } },
  nested: [[1, 2], [3]],
  mixed: [1, 'a', null, true, 2.5, { k: 'v' }],
  uni: 'héllo',
  html: '<b>"x" & \'y\'</b>',
  path: 'a b/c?d=é&e',
}

/** A failure: its place, and what Go says in its place or what says the same. */
export interface Fault {
  readonly line: number
  readonly column: number
  readonly reason: string
}

export function fault(line: number, column: number, reason: string): Fault {
  return { line, column, reason }
}

/** Rule in words, template, and what it prints by Go's documentation; differential.test.ts asks Go itself. */
export type Row = readonly [rule: string, source: string, expected: string | Fault]

export function describeTable(name: string, rows: readonly Row[]): void {
  describe(name, () => {
    it.each(rows)('%s: %s', (_rule, source, expected) => {
      expect(outcomeOf(source)).toEqual(expected)
    })
  })
}

function outcomeOf(source: string): string | Fault {
  try {
    return executeSource(source, tableData)
  } catch (error) {
    if (!(error instanceof LlameroError) || error.code !== 'ERR_TEMPLATE') throw error
    return error.details as unknown as Fault
  }
}
