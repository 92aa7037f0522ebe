import { execFile } from 'node:child_process'
import { basename, dirname } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { computeWith, onBestModule } from '../../bench/computing.js'
import { findTool } from '../../bench/peers/tool.js'

const run = promisify(execFile)
// Every x86-64 runs it, and none takes it by itself. A sanitized addon is loaded before, and is no build of the tools'.
const forced = process.arch === 'x64' && process.env['LLAMERO_TEST_ADDON'] === undefined

describe.runIf(forced)('a forced CPU module', () => {
  it('is taken by llamero and by the tools of llama.cpp', async () => {
    computeWith({ module: 'x64' })
    expect(onBestModule()).toBe(false)
    const tool = await findTool('llama-bench')
    expect(basename(dirname(tool))).toBe('bin-x64')
    expect((await run(tool, ['--list-devices'])).stderr).toMatch(/libggml-cpu-x64\.so/)
  })

  it("can't be changed any more", () => {
    expect(() => {
      computeWith({ module: 'sse42' })
    }).toThrow('The CPU module "x64" is loaded already; "sse42" was asked for.')
  })
})
