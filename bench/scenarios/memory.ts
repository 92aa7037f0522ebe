import type { Model, Session } from '../../lib/index.js'
import { sleep } from '../measure.js'
import { withModel } from '../opened.js'
import { promptOf } from '../prompt.js'
import type { Bench, Findings, Row, Scenario } from '../scenario.js'
import { timeStream } from '../stream.js'

const sessionCounts = [1, 8, 32]
const sessionTokens = 400
const shortRequests = 10_000
// By then V8 has taken the room of its young generation, some 15 MiB.
const settlingRequests = 8000
const atOnce = 16
const shortPrompt = 8
const shortAnswer = 2
const mebibyte = 2 ** 20

export const memory: Scenario = {
  name: 'memory',
  title: 'resident memory of the process with sessions, and after many requests',
  run: async (bench) => {
    const rows = [...(await withSessions(bench)), ...(await afterRequests(bench))]
    return {
      rows,
      notes: [
        `MiB that the process has more than before the model was opened; one reading each, whatever --rounds says`,
        `sessions: ${sessionTokens} tokens each, kept in the KV cache, which llama.cpp writes once when it is made; forks of one share its cells`,
        `requests: ${shortPrompt} + ${shortAnswer} tokens, ${atOnce} at a time; growth counts from the ${settlingRequests}th on, when allocators have settled`,
        ...(globalThis.gc === undefined ? ['run with NODE_OPTIONS=--expose-gc for steadier figures'] : []),
      ],
    } satisfies Findings
  },
}

async function withSessions({ modelPath, say }: Bench): Promise<Row[]> {
  const before = await residentMiB()
  const rows: Row[] = []
  const row = async (name: string): Promise<void> => {
    rows.push({ name, unit: 'MiB', ours: [(await residentMiB()) - before] })
  }
  await withModel(modelPath, { contextSize: 8192, cacheBytes: 0 }, async (model) => {
    await row('model open')
    for (const count of sessionCounts) {
      say(`${count} sessions`)
      const open = await Promise.all(Array.from({ length: count }, (_, i) => sessionOf(model, 100 * count + i)))
      await row(`${count} sessions of ${sessionTokens} tokens`)
      await closeAll(open)
    }
    say('32 forks of one session')
    const first = await sessionOf(model, 1)
    const forks = await Promise.all(Array.from({ length: 31 }, () => first.fork()))
    await row('32 forks of one session')
    await closeAll([first, ...forks])
    await row('sessions closed')
  })
  await row('model closed')
  return rows
}

async function sessionOf(model: Model, salt: number): Promise<Session> {
  const session = await model.session({ system: await model.detokenize(await promptOf(model, sessionTokens, salt)) })
  await session.prefill()
  return session
}

async function closeAll(sessions: readonly Session[]): Promise<void> {
  await Promise.all(sessions.map((session) => session.close()))
}

async function afterRequests({ modelPath, say }: Bench): Promise<Row[]> {
  return withModel(modelPath, { contextSize: 512, parallel: atOnce }, async (model) => {
    const run = async (count: number): Promise<void> => {
      let left = count
      const one = async (lane: number): Promise<void> => {
        while (left-- > 0) {
          await timeStream(model, await promptOf(model, shortPrompt, left * atOnce + lane), { maxTokens: shortAnswer })
        }
      }
      await Promise.all(Array.from({ length: atOnce }, (_, lane) => one(lane)))
    }
    await run(settlingRequests)
    const settled = await residentMiB()
    say(`${shortRequests} requests`)
    await run(shortRequests)
    return [
      {
        name: `growth over ${shortRequests} short requests`,
        unit: 'MiB',
        ours: [(await residentMiB()) - settled],
        target: { of: 'value', atMost: 8 },
      },
    ]
  })
}

/** After the garbage was collected, as far as Node lets us. */
async function residentMiB(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await sleep(50)
  }
  return process.memoryUsage.rss() / mebibyte
}
