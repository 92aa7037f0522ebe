import { describe, expect, it } from 'vitest'
import { errorCodes } from '../../lib/errors.js'
import { findings, readSource, sourceFiles, contract } from './source-file.js'

const rows = [...readSource('docs/errors.md').matchAll(/^\| `(ERR_\w+)` \| (\d+) \| (.+?) \|/gm)]
const documented = rows.map(([, code, status, sentence]) => `${code ?? ''} ${status ?? ''} ${sentence ?? ''}`)
const thrown = Object.entries(errorCodes).map(([code, { status, sentence }]) => `${code} ${String(status)} ${sentence}`)

describe('docs/errors.md', () => {
  it('lists every code with its status and sentence, in the order of the table, and none besides', () => {
    expect(documented).toEqual(thrown)
  })
})

contract('native code names only codes of the table', {
  files: sourceFiles(['native'], /\.(cc|h)$/),
  breaches: (files) =>
    findings(files, /\bERR_[A-Z_]+\b/g).filter((found) => !((found.split(': ')[1] ?? '') in errorCodes)),
  breaks: [['native/model.cc', 'throw Error("ERR_TYPO", "…");']],
  keeps: [['native/model.cc', 'throw Error("ERR_TIMEOUT", "…");']],
})
