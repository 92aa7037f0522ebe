import { Refusal } from './fault.js'
import type { Fuel } from './fuel.js'
import type { GoValue } from './value.js'

/** So many are looked through without a cost. */
const fewVariables = 32

interface Variable {
  readonly name: string
  value: GoValue
}

/** Variables in the order of their declaration; the youngest of a name counts. */
export class Scope {
  readonly #variables: Variable[]
  readonly #fuel: Fuel

  constructor(root: GoValue, fuel: Fuel) {
    this.#fuel = fuel
    this.#variables = [{ name: '$', value: root }]
  }

  /** What {@link cut} goes back to. */
  get size(): number {
    return this.#variables.length
  }

  cut(size: number): void {
    // Setting the length is slower for the few variables of a turn of a range.
    while (this.#variables.length > size) this.#variables.pop()
  }

  declare(name: string, value: GoValue): void {
    this.#variables.push({ name, value })
  }

  /** Throws a {@link Refusal} if nothing of that name was declared. */
  assign(name: string, value: GoValue): void {
    this.#find(name).value = value
  }

  /** Sets the youngest but so many. */
  assignFromEnd(back: number, value: GoValue): void {
    const variable = this.#variables.at(-1 - back)
    if (variable !== undefined) variable.value = value
  }

  read(name: string): GoValue {
    return this.#find(name).value
  }

  #find(name: string): Variable {
    let at = this.#variables.length - 1
    while (at >= 0 && this.#variables[at]?.name !== name) at -= 1
    this.#fuel.spend(Math.max(this.#variables.length - at - fewVariables, 0) / 2)
    const found = this.#variables[at]
    if (found === undefined) throw new Refusal(`undefined variable: ${name}`)
    return found
  }
}
