import { describe, expect, it } from 'vitest'
import { failureText } from '../../lib/cli/failure.js'
import { LlameroError } from '../../lib/errors.js'

const refused = new LlameroError('ERR_MODEL_INVALID', 'Expected a model, but got a text.')
const report = 'Something went wrong inside llamero; please report it. (ERR_INTERNAL)\n'

describe('failureText', () => {
  it.each([
    ['an error with a code', refused, false, 'Error: Expected a model, but got a text.\n'],
    ['its code where it is asked for', refused, true, 'Error: Expected a model, but got a text. (ERR_MODEL_INVALID)\n'],
    ['a defect', new TypeError('x is not a function'), false, `Error: TypeError: x is not a function ${report}`],
    [
      'a defect that was noticed',
      new LlameroError('ERR_INTERNAL', 'The plan is empty.'),
      false,
      `Error: The plan is empty. ${report}`,
    ],
    ['a defect without words of its own', new LlameroError('ERR_INTERNAL'), false, `Error: ${report}`],
    ['something thrown that is no error', 'text', true, `Error: text ${report}`],
  ])('tells %s', (_, error, isVerbose, text) => expect(failureText(error, isVerbose)).toBe(text))

  it('shows the place of a defect where it is asked for', () =>
    expect(failureText(new TypeError('odd'), true)).toMatch(
      / \(ERR_INTERNAL\)\nTypeError: odd\n +at .*failure\.test\.ts/,
    ))
})
