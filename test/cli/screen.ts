import { displayWidth, graphemes } from '../../lib/cli/display-width.js'

/**
 * What a terminal shows after some output. It knows the sequences that llamero uses and throws on any other, so that a
 * test notices what it does not expect.
 */
export function screenOf(output: string, columns = 80): string[] {
  const rows: string[][] = [[]]
  let [row, column] = [0, 0]
  const line = (): string[] => (rows[row] ??= [])
  const obey = (count: number, command: string): void => {
    if (command === 'A') row = Math.max(0, row - count)
    else if (command === 'D') column = Math.max(0, column - count)
    else line().length = Math.min(line().length, column)
    if (command === 'J') rows.length = row + 1
  }
  for (const match of output.matchAll(/\u001b\[(\d*)([A-Za-z])|([^\u001b]+)|(\u001b)/g)) {
    const [, count = '', command, text] = match
    if (text === undefined) {
      if (command === undefined || !'ADJK'.includes(command)) throw new Error(`unknown: ${JSON.stringify(match[0])}`)
      obey(Number(count || 1), command)
      continue
    }
    for (const grapheme of graphemes(text)) {
      if (grapheme.includes('\n')) [row, column] = [row + 1, 0]
      else if (grapheme === '\r') column = 0
      else if (grapheme === '\t') column = (Math.floor(column / 8) + 1) * 8
      else {
        const width = displayWidth(grapheme)
        if (column + width > columns) [row, column] = [row + 1, 0]
        while (line().length < column) line().push(' ')
        line().splice(column, width, grapheme, ...(width === 2 ? [''] : []))
        column += width
      }
      line()
    }
  }
  return Array.from(rows, (cells) => cells.join(''))
}
