/** Names of variables in the order of their declaration; a name may be there more than once. */
export class DeclaredNames {
  readonly #names: string[] = []
  readonly #counts = new Map<string, number>()

  constructor(...names: readonly string[]) {
    for (const name of names) this.declare(name)
  }

  /** What {@link cut} goes back to. */
  get size(): number {
    return this.#names.length
  }

  declare(name: string): void {
    this.#names.push(name)
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }

  has(name: string): boolean {
    return (this.#counts.get(name) ?? 0) > 0
  }

  cut(size: number): void {
    for (const name of this.#names.splice(size)) this.#counts.set(name, (this.#counts.get(name) ?? 0) - 1)
  }
}
