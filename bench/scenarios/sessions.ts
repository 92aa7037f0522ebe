import type { Model, Session } from '../../lib/index.js'
import { withModel } from '../opened.js'
import { promptOf } from '../prompt.js'
import type { Bench, Findings, Scenario } from '../scenario.js'

const sessionTokens = 4000

export const sessions: Scenario = {
  name: 'sessions',
  title: `fork, save and restore of a session of ${sessionTokens} tokens`,
  run: (bench) => withModel(bench.modelPath, { contextSize: 8192, cacheBytes: 0 }, (model) => measure(bench, model)),
}

async function measure({ rounds, say }: Bench, model: Model): Promise<Findings> {
  const forkMs: number[] = []
  const forkSteps: number[] = []
  const prefillMs: number[] = []
  const moveMs: number[] = []
  const used: number[] = []
  const cached: number[] = []
  const bytes: number[] = []
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`)
    const text = await model.detokenize(await promptOf(model, sessionTokens, round + 2))
    const session = await model.session({ system: text })
    prefillMs.push(await timed(() => session.prefill()))
    used.push(session.usedTokens)

    const { steps } = model.metrics()
    let fork: Session | undefined
    forkMs.push(await timed(async () => (fork = await session.fork())))
    forkSteps.push(model.metrics().steps - steps)

    const before = performance.now()
    const saved = await session.save()
    await session.close()
    await fork?.close()
    const restored = await model.session({ restore: saved })
    moveMs.push(performance.now() - before)
    bytes.push(saved.byteLength / 2 ** 20)

    const { usage } = await restored.chat('Who is in this story?', { maxTokens: 2, temperature: 0 })
    cached.push(usage.cachedTokens)
    await restored.close()
  }
  return {
    rows: [
      { name: 'fork', unit: 'ms', ours: forkMs, target: { of: 'value', atMost: 5 } },
      { name: 'decodes of a fork', unit: 'steps', ours: forkSteps, target: { of: 'value', atMost: 0 } },
      {
        name: 'prefill, over saving and restoring',
        unit: 'ms',
        ours: prefillMs,
        beside: { name: 'save, close, restore', readings: moveMs },
        target: { of: 'ratio', atLeast: 10 },
      },
      {
        name: 'tokens of the next turn that came from the restored state',
        unit: 'tokens',
        ours: cached,
        beside: { name: 'saved', readings: used },
        target: { of: 'ratio', atLeast: 1 },
      },
      { name: 'size of the saved session', unit: 'MiB', ours: bytes },
    ],
    notes: ['saved to memory, checksum included, not to a file; cacheBytes is 0, so that nothing else can answer'],
  }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await run()
  return performance.now() - started
}
