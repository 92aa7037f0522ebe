import type { Family, TensorRule } from './families/family.js'

/** What a tensor becomes. */
export interface TensorTarget {
  readonly rule: TensorRule
  /** Its whole name in the new file. */
  readonly name: string
}

/** Without what classes around the language model put before its names. */
export function bareName(name: string): string {
  return name.replace(/^(?:model\.|language_model\.|transformer\.|bert\.)+/, '')
}

/** The rule for a tensor of one of the layers or outside of them; `undefined` if the family has none. */
export function targetOf(family: Family, bare: string, layers: number): TensorTarget | undefined {
  const layer = bare.startsWith(`${family.layers}.`)
    ? /^(\d{1,4})\.(.+)$/.exec(bare.slice(family.layers.length + 1))
    : null
  const key = layer?.[2] ?? bare
  const rules = layer === null ? family.outer : family.layer
  const rule = Object.hasOwn(rules, key) ? rules[key] : undefined
  if (rule === undefined || Number(layer?.[1] ?? 0) >= layers) return undefined
  return { rule, name: layer === null ? rule.to : `blk.${Number(layer[1])}.${rule.to}` }
}
