import type { GoFunction } from './functions.js'
import { Refusal } from './fault.js'
import { stringValue, typeName } from './value.js'

/** `currentDate` and `yesterdayDate`, of the machine's own time zone; their argument is for a format that is not used. */
export function dateFunctions(now: Date): readonly (readonly [string, GoFunction])[] {
  return [
    ['currentDate', dateFunction('currentDate', now)],
    ['yesterdayDate', dateFunction('yesterdayDate', dayBefore(now))],
  ]
}

function dateFunction(name: string, date: Date): GoFunction {
  const pad = (number: number, length: number) => String(number).padStart(length, '0')
  const text = `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1, 2)}-${pad(date.getDate(), 2)}`
  return {
    least: 0,
    most: Number.POSITIVE_INFINITY,
    call(values) {
      const wrong = values.find(({ kind }) => kind !== 'string')
      if (wrong) throw new Refusal(`wrong type for value; expected string; got ${typeName(wrong)} (in ${name})`)
      return stringValue(text, true)
    },
  }
}

function dayBefore(date: Date): Date {
  const day = new Date(date)
  day.setDate(day.getDate() - 1)
  return day
}
