import { expect, it } from 'vitest'
import { settled, testEngines } from './test-engine.js'

const engines = testEngines({ layers: 4 })

const rounds = 20
const requests = 8
// As long as a program takes to check a request and take its text apart.
const apartMs = 0.3

// A busy machine holds up a program between two requests for longer than the engine waits, some times more often than
// others: hence again. Without the wait it is a quarter of the rounds.
it('requests that are made at once are computed in one step, mostly', { retry: 3 }, async () => {
  const engine = await engines({ maxSequences: requests, batchSize: 512 })
  const prompts = await Promise.all(Array.from({ length: requests }, (_, index) => engine.tokenize(`K${index}`)))
  let together = 0
  for (let round = 0; round < rounds; round++) {
    const before = (await settled(engine)).steps
    const ids = prompts.map((tokens) => {
      const submitted = performance.now()
      const id = engine.submit(tokens, { maxTokens: 1 })
      while (performance.now() < submitted + apartMs);
      return id
    })
    await Promise.all(ids.map((id) => engine.inbox.ended(id)))
    if ((await settled(engine)).steps - before === 1) together++
  }
  expect(together).toBeGreaterThan(rounds / 2)
})
