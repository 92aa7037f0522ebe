import { nativeAddon } from '../../lib/native.js'
import { openSessionEngine, type SessionEngine } from '../native-sessions.js'
import { promptOf } from '../prompt.js'
import type { Bench, Findings, Scenario } from '../scenario.js'

const sessionTokens = 4000
const turnTokens = 16

export const sessions: Scenario = {
  name: 'sessions',
  title: `fork, save and restore of a session of ${sessionTokens} tokens`,
  async run(bench) {
    const engine = await openSessionEngine(bench.modelPath)
    try {
      return await measure(bench, engine)
    } finally {
      await engine.close()
    }
  },
}

async function measure({ rounds, say }: Bench, engine: SessionEngine): Promise<Findings> {
  const addon = nativeAddon()
  const { native } = engine
  const readings = { forkMs: [], forkSteps: [], prefillMs: [], moveMs: [], cached: [], bytes: [] } as Record<
    'forkMs' | 'forkSteps' | 'prefillMs' | 'moveMs' | 'cached' | 'bytes',
    number[]
  >
  await engine.run(0, await promptOf(engine, 64, 1), 8)
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`)
    const [first, fork, restored] = [3 * round + 1, 3 * round + 2, 3 * round + 3]
    const prompt = await promptOf(engine, sessionTokens, round + 2)
    const { prefillMs, cachedTokens } = await engine.run(first, prompt, 1)
    if (cachedTokens > sessionTokens / 100) throw new Error(`${cachedTokens} tokens of a new prompt were cached.`)
    readings.prefillMs.push(prefillMs)

    const { steps } = addon.engineStats(native)
    readings.forkMs.push(await timed(() => addon.sessionFork(native, first, fork)))
    readings.forkSteps.push(addon.engineStats(native).steps - steps)

    const before = performance.now()
    const snapshot = await addon.sessionSave(native, first)
    if (snapshot === undefined) throw new Error('The session had to give way before it was saved.')
    for (const session of [first, fork]) await addon.sessionForget(native, session)
    await addon.sessionRestore(native, restored, '', snapshot)
    readings.moveMs.push(performance.now() - before)
    readings.bytes.push(snapshot.state.byteLength / 2 ** 20)

    const turn = await promptOf(engine, turnTokens, 1000 + round)
    const next = await engine.run(restored, Int32Array.from([...snapshot.tokens, ...turn]), 1)
    readings.cached.push(next.cachedTokens)
    await addon.sessionForget(native, restored)
  }
  const due = readings.cached.map(() => sessionTokens)
  return {
    rows: [
      { name: 'fork', unit: 'ms', ours: readings.forkMs, target: { of: 'value', atMost: 5 } },
      { name: 'decodes of a fork', unit: 'steps', ours: readings.forkSteps, target: { of: 'value', atMost: 0 } },
      {
        name: 'prefill, over saving and restoring',
        unit: 'ms',
        ours: readings.prefillMs,
        beside: { name: 'save, forget, restore', readings: readings.moveMs },
        target: { of: 'ratio', atLeast: 10 },
      },
      {
        name: 'tokens of the next turn that came from the restored state',
        unit: 'tokens',
        ours: readings.cached,
        beside: { name: 'saved', readings: due },
        target: { of: 'ratio', atLeast: 1 },
      },
      { name: 'size of the saved state', unit: 'MiB', ours: readings.bytes },
    ],
    notes: ['through the native calls, each as a promise: what JavaScript waits for', 'saved to memory, not to a file'],
  }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await run()
  return performance.now() - started
}
