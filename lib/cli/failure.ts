import { errorCodes, LlameroError } from '../errors.js'

/** What people are told about an error; `isVerbose` adds its code, or for a defect of llamero its place. */
export function failureText(error: unknown, isVerbose: boolean): string {
  if (error instanceof LlameroError && error.code !== 'ERR_INTERNAL') {
    return `Error: ${error.message}${isVerbose ? ` (${error.code})` : ''}\n`
  }
  const { sentence } = errorCodes.ERR_INTERNAL
  const what = error instanceof LlameroError ? error.message : String(error)
  const place = isVerbose && error instanceof Error && error.stack !== undefined ? `${error.stack}\n` : ''
  return `Error: ${what === sentence ? '' : `${what} `}${sentence} (ERR_INTERNAL)\n${place}`
}
