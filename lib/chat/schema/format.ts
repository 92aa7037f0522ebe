/**
 * Formats that the grammar holds, as patterns of texts that have them: not of all such texts (addresses of e-mail are
 * the common ones), but of none that has not. Dates are those of the calendar, leap years included.
 */
const year = String.raw`\d{4}`
const leapYear = String.raw`(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)`
const date =
  `(?:${year}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))` +
  `|${leapYear}-02-29)`
const clock = String.raw`(?:[01]\d|2[0-3]):[0-5]\d`
const time = String.raw`${clock}:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-]${clock})`
const byte = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`
const uuid = '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}'
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?'

/** A pattern for each format that a grammar can hold. */
export const formatPatterns: ReadonlyMap<string, string> = new Map([
  ['date', `^${date}$`],
  ['time', `^${time}$`],
  ['date-time', `^${date}T${time}$`],
  ['uuid', `^${uuid}$`],
  ['ipv4', `^${byte}(?:\\.${byte}){3}$`],
  ['email', `^[A-Za-z0-9_+-]{1,32}(?:\\.[A-Za-z0-9_+-]{1,15}){0,2}@${label}(?:\\.${label}){0,2}\\.[A-Za-z]{2,10}$`],
  ['hostname', `^${label}(?:\\.${label}){0,3}$`],
])
