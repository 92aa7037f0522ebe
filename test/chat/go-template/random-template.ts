import { randomBelow, type Random } from '../../support/seeded-random.js'

/** Data that random templates look into. */
export const randomData = {
  name: 'Ada',
  other: 'ünï <b>\n"q"',
  n: 3,
  f: 2.5,
  big: 123456789,
  small: -0.000001,
  yes: true,
  no: false,
  empty: '',
  null: null,
  list: ['a', 'b', 'c'],
  numbers: [1, -2.5, 0],
  none: [],
  map: { b: 2, a: 1, c: { d: 'e' } },
  mixed: [1, 'a', null, true, { k: 'v' }, ['x', null]],
  deep: { x: { y: [{ z: 'end' }] } },
}

/** Makes templates that are mostly right: about half of them fail in Go when they run, the others print. */
export class TemplateMaker {
  readonly #random: Random
  #variables = ['$']
  #ranges = 0
  #canCall = true

  constructor(random: Random) {
    this.#random = random
  }

  template(): string {
    this.#variables = ['$']
    this.#canCall = false
    const definition = this.#chance(0.2) ? `{{define "t"}}${this.#apart(2)}{{end}}` : ''
    this.#canCall = true
    return definition + this.#list(3)
  }

  /** A call of `printf` with any flags. */
  printf(): string {
    const count = randomBelow(this.#random, 4)
    const format = Array.from({ length: count + randomBelow(this.#random, 2) }, () => this.#verb()).join('|')
    const values = Array.from({ length: count }, () => this.#operand(1)).join(' ')
    return `{{printf ${JSON.stringify(format)} ${values}}}`
  }

  #apart(depth: number): string {
    const [variables, ranges] = [this.#variables, this.#ranges]
    this.#variables = ['$']
    this.#ranges = 0
    const text = this.#list(depth)
    this.#variables = variables
    this.#ranges = ranges
    return text
  }

  #list(depth: number): string {
    const known = this.#variables.length
    const text = Array.from({ length: 1 + randomBelow(this.#random, 4) }, () => this.#node(depth)).join('')
    this.#variables.length = known
    return text
  }

  #node(depth: number): string {
    const pick = randomBelow(this.#random, depth > 0 ? 16 : 8)
    if (pick < 3) return this.#pick([' ', 'text', '\n', '{', 'a}}b', '  x\t'])
    if (pick < 6) return this.#action(this.#pipe(2))
    if (pick === 6) return this.#action(this.#declaration())
    if (pick === 7) return this.#jump()
    if (pick < 11) return this.#branch('if', depth)
    if (pick < 12) return this.#branch('with', depth)
    // A definition that calls itself would go on for ever.
    if (pick < 15 || !this.#canCall) return this.#range(depth)
    return this.#action(this.#pick(['template "t" .', 'template "t"', `template "t" ${this.#operand(1)}`]))
  }

  #jump(): string {
    if (this.#ranges > 0) return this.#action(this.#pick(['break', 'continue']))
    return this.#pick(['{{/* c */}}', '{{- /* c */ -}}', '{{"{{"}}'])
  }

  #branch(kind: 'if' | 'with', depth: number): string {
    const known = this.#variables.length
    const pipe = this.#chance(0.2) ? this.#declaration() : this.#pipe(2)
    let text = this.#action(`${kind} ${pipe}`) + this.#list(depth - 1)
    while (this.#chance(0.3)) text += this.#action(`else ${kind} ${this.#pipe(2)}`) + this.#list(depth - 1)
    if (this.#chance(0.5)) text += this.#action('else') + this.#list(depth - 1)
    this.#variables.length = known
    return text + this.#action('end')
  }

  #range(depth: number): string {
    const known = this.#variables.length
    const over = this.#pick([
      '.list',
      '.numbers',
      '.map',
      '.mixed',
      '.none',
      '$.list',
      '$.map',
      '3',
      '.missing',
      'slice $.list 1',
      this.#operand(1),
    ])
    const names = this.#pick([[], [], ['$e'], ['$i', '$e'], ['$k', '$v']])
    const sign = names.length > 0 && names.every((name) => this.#variables.includes(name)) ? '=' : ':='
    this.#variables.push(...names)
    let text = this.#action(`range ${names.length > 0 ? `${names.join(', ')} ${sign} ` : ''}${over}`)
    this.#ranges += 1
    text += this.#list(depth - 1)
    this.#ranges -= 1
    if (this.#chance(0.3)) text += this.#action('else') + this.#list(depth - 1)
    this.#variables.length = known
    return text + this.#action('end')
  }

  #declaration(): string {
    const assignable = this.#variables.filter((name) => name !== '$')
    if (assignable.length > 0 && this.#chance(0.4)) return `${this.#pick(assignable)} = ${this.#pipe(2)}`
    const name = this.#pick(['$x', '$y', '$é'])
    const pipe = this.#pipe(2)
    this.#variables.push(name)
    return `${name} := ${pipe}`
  }

  #pipe(depth: number): string {
    let text = this.#command(depth)
    while (this.#chance(0.2))
      text +=
        this.#pick([' | ', '|']) + this.#pick(['len', 'print 1', 'printf "%v"', 'html', 'not', 'json', 'and .name'])
    return text
  }

  #command(depth: number): string {
    if (this.#chance(0.5)) return this.#operand(depth)
    const operand = () => this.#operand(depth - 1)
    return this.#pick([
      () => `print ${operand()} ${operand()} ${operand()}`,
      () => `println ${operand()}`,
      () => `printf "${this.#verb()}" ${operand()}`,
      () => `len ${operand()}`,
      () => `index ${operand()} ${operand()}`,
      () => `index .list ${randomBelow(this.#random, 4)}`,
      () => `slice ${operand()} ${randomBelow(this.#random, 3)}`,
      () => `slice .name ${randomBelow(this.#random, 3)} ${randomBelow(this.#random, 5)}`,
      () => `and ${operand()} ${operand()}`,
      () => `or ${operand()} ${operand()}`,
      () => `not ${operand()}`,
      () => `${this.#pick(['eq', 'ne', 'lt', 'le', 'gt', 'ge'])} ${operand()} ${operand()}`,
      () => `eq .name ${operand()} ${operand()}`,
      () => `${this.#pick(['html', 'js', 'urlquery'])} ${operand()} ${operand()}`,
      () => `json ${operand()}`,
      () => `call ${operand()}`,
    ])()
  }

  #operand(depth: number): string {
    const pick = randomBelow(this.#random, depth > 0 ? 12 : 10)
    if (pick < 5) return this.#pick(Object.keys(randomData).map((key) => `.${key}`))
    if (pick < 6)
      return this.#pick(['.', '.missing', '.map.c.d', '.map.c', '.deep.x.y', '.name.x', '.missing.x', '$.name'])
    if (pick < 8) return this.#literal()
    if (pick < 10) return this.#pick(this.#variables) + this.#pick(['', '', '', '.a', '.list'])
    return `(${this.#pipe(depth - 1)})${this.#pick(['', '', '', '.a', '.x.y'])}`
  }

  /** No great numbers: Go would range over them for hours. */
  #literal(): string {
    return this.#pick([
      '1',
      '0',
      '-3',
      '2.5',
      '1e6',
      '1e-7',
      '0x1F',
      '0b11',
      '1_0',
      "'a'",
      "'\\n'",
      '"a"',
      '"é\\t\\"\\x41"',
      '`raw "\\n`',
      'true',
      'false',
      'nil',
      '1i',
      '1+2i',
      '0x1p-2',
      '""',
    ])
  }

  #verb(): string {
    const flags = this.#pick(['', '', '', '+', '-', '#', ' ', '0', '+0', '-0', '# ', '+#'])
    const width = this.#pick(['', '', '', '5', '12', '*', '[1]*', '[2]', '[9]', '1'])
    const precision = this.#pick(['', '', '', '.0', '.2', '.', '.10', '.*', '.[1]*'])
    return `%${flags}${width}${precision}${this.#pick([...'vsdqxXobcUeEfFgGtTO%z!'])}`
  }

  #action(content: string): string {
    return `{{${this.#pick(['', ' ', '- '])}${content}${this.#pick(['', ' ', ' -'])}}}`
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[randomBelow(this.#random, items.length)]!
  }

  #chance(probability: number): boolean {
    return this.#random() < probability
  }
}

/** A template with a few characters taken out, doubled or replaced. */
export function mutated(source: string, random: Random): string {
  // A definition that comes to call itself would keep Go busy for long.
  let text = source.replaceAll('template "t"', 'print "t"')
  for (let changes = 1 + randomBelow(random, 3); changes > 0; changes--) {
    const at = randomBelow(random, text.length + 1)
    const length = randomBelow(random, 3)
    const inserted = ['', '{{', '}}', '-', ' ', '"', '`', '(', ')', '|', '.', '$', 'end', 'é', '0', '=', ':', ',', "'"]
    text = text.slice(0, at) + inserted[randomBelow(random, inserted.length)]! + text.slice(at + length)
  }
  return text
}
