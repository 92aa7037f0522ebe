import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { displayWidth } from '../../lib/cli/display-width.js'
import { progressBar } from '../../lib/cli/progress-bar.js'
import { ProgressDisplay } from '../../lib/cli/progress-display.js'
import { PullStages, reportPull } from '../../lib/cli/pull-progress.js'
import { parseDigest } from '../../lib/store/index.js'
import type { PullProgress } from '../../lib/transfer/index.js'
import { fakeOutput } from './fake-output.js'
import { screenOf } from './screen.js'

const digest = parseDigest(`sha256:${'ab'.repeat(32)}`)
const status = 'pulling abababababab'
const half = { status, digest, completed: 44e6, total: 98e6, ratePerSecond: 12e6 }

const stages = (news: readonly PullProgress[]): PullStages => {
  const all = new PullStages()
  for (const one of news) all.add(one)
  return all
}

describe('progressBar', () => {
  const state = { label: 'pulling x', completedBytes: 44e6, totalBytes: 98e6, rate: 12e6, isFinished: false }
  it.each([
    ['a transfer under way', state, 'pulling x:  44% ▕█████████▏  44 MB/ 98 MB   12 MB/s      5s'],
    ['no rate yet', { ...state, rate: 0 }, 'pulling x:  44% ▕█████████▏  44 MB/ 98 MB'],
    [
      'a finished transfer shows its total only',
      { ...state, completedBytes: 98e6, isFinished: true },
      'pulling x: 100% ▕██████████████████████▏  98 MB',
    ],
    ['nothing to do', { ...state, completedBytes: 0, totalBytes: 0, rate: 0 }, 'pulling x:   0% ▕▏    0 B/   0 B'],
  ])('%s', (_, given, line) => expect(progressBar(given, 73).replace(/ +▏/, '▏')).toBe(line))

  it.each([10, 20, 40, 60, 80, 200])('leaves room for the cursor at %d columns', (columns) =>
    expect(displayWidth(progressBar(state, columns))).toBeLessThan(columns),
  )
})

describe('PullStages', () => {
  it('shows a stage that has not ended with a spinner', () =>
    expect(stages([{ status: 'pulling manifest' }]).lines(80, '*')).toEqual(['pulling manifest *']))
  it('shows a transfer once its first byte has come', () =>
    expect(stages([{ status: 'pulling manifest' }, { status, digest, completed: 0 }]).lines(80, '*')).toEqual([
      'pulling manifest *',
    ]))
  it('shows one line per stage with its latest news', () => {
    const lines = stages([{ status: 'pulling manifest' }, { ...half, completed: 1 }, half]).lines(80, '*')
    expect(lines).toEqual(['pulling manifest', expect.stringContaining(' 44% ')])
  })
  it('shows bytes where the total is not known', () =>
    expect(stages([{ status, digest, completed: 44e6 }]).lines(80, '*')).toEqual([`${status}: 44 MB`]))
  it('stands still once the pull is over', () => {
    const all = stages([{ status: 'success' }])
    all.end()
    expect(all.lines(80, '*')).toEqual(['success'])
  })
})

describe('reportPull', () => {
  it('writes a plain line per stage into a pipe', () => {
    const { output, text } = fakeOutput()
    const reporter = reportPull(output)
    for (const news of [{ status: 'pulling manifest' }, half, { ...half, completed: 50e6 }, { status: 'success' }]) {
      reporter.report(news)
    }
    reporter.end({ isStopped: false })
    expect(text()).toBe(`pulling manifest\n${status}\nsuccess\n`)
  })
  it.each([false, true])('says that what arrived is kept when it is stopped (terminal: %s)', (isTerminal) => {
    const { output, text } = fakeOutput({ isTerminal })
    const reporter = reportPull(output)
    reporter.report({ status: 'pulling manifest' })
    reporter.end({ isStopped: true })
    expect(screenOf(text())).toEqual(['pulling manifest', 'Stopped. What has arrived is kept for the next pull.', ''])
  })
})

describe('ProgressDisplay', () => {
  it('draws its lines over one another and keeps the last ones', async () => {
    const { output, text } = fakeOutput({ isTerminal: true })
    let lines = ['first, long']
    const display = new ProgressDisplay(output, () => lines)
    await sleep(150)
    lines = ['1st', 'second']
    await sleep(150)
    lines = ['one', 'two']
    display.keep()
    expect(screenOf(text())).toEqual(['one', 'two', ''])
    const before = text()
    await sleep(150)
    expect(text()).toBe(before)
  })
  it('goes without a trace', async () => {
    const { output, text } = fakeOutput({ isTerminal: true })
    const display = new ProgressDisplay(output, () => ['one', 'two'])
    await sleep(150)
    display.clear()
    expect(screenOf(`${text()}after`)).toEqual(['after'])
  })
  it('draws no more lines than the terminal has', () => {
    const { output, text } = fakeOutput({ isTerminal: true, rows: 3 })
    new ProgressDisplay(output, () => ['1', '2', '3', '4']).keep()
    expect(screenOf(text())).toEqual(['3', '4', ''])
  })
})
