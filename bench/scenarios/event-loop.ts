import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Model } from '../../lib/model/index.js'
import { median, sleep } from '../measure.js'
import { withModel } from '../opened.js'
import { promptOf } from '../prompt.js'
import type { Bench, Findings, Scenario } from '../scenario.js'
import { decodeRate, timeStream } from '../stream.js'

const blockMs = 2000
const blockedTokens = 300
const tokensBefore = 5
const streamCount = 8

type Block = 'asleep' | 'computing'

export const eventLoop: Scenario = {
  name: 'event-loop',
  title: 'a blocked event loop, and what generation costs the loop',
  run: (bench) => withModel(bench.modelPath, { contextSize: 4096 }, (model) => measure(bench, model)),
}

async function measure({ rounds, say }: Bench, model: Model): Promise<Findings> {
  const prompt = await promptOf(model, 16, 1)
  await timeStream(model, prompt, { maxTokens: 32 })
  const due: number[] = []
  const found: Record<Block, number[]> = { asleep: [], computing: [] }
  const delays: number[] = []
  const idle: number[] = []
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`)
    const quiet = await timeStream(model, prompt, { maxTokens: blockedTokens })
    due.push(Math.min(blockedTokens - tokensBefore, (decodeRate(quiet) * blockMs) / 1000))
    found.asleep.push(await tokensWaiting(model, prompt, 'asleep'))
    found.computing.push(await tokensWaiting(model, prompt, 'computing'))
    idle.push(await p99Delay(() => sleep(1000)))
    delays.push(await p99Delay(() => generateSideBySide(model, round)))
  }
  const beside = { name: 'due', readings: due }
  return {
    rows: [
      {
        name: `tokens waiting after ${blockMs} ms asleep`,
        unit: 'tokens',
        ours: found.asleep,
        beside,
        target: { of: 'ratio', atLeast: 0.9 },
      },
      { name: `tokens waiting after ${blockMs} ms of computing`, unit: 'tokens', ours: found.computing, beside },
      {
        name: `event-loop delay p99 with ${streamCount} streams`,
        unit: 'ms',
        ours: delays,
        beside: { name: 'idle loop', readings: idle },
        target: { of: 'value', atMost: 10 },
      },
    ],
    notes: [
      `${blockedTokens} tokens; the loop is blocked from the ${tokensBefore}th token on; due: what the same generation gives in that time at its undisturbed rate (median ${median(due).toFixed(0)}), at most all that are left`,
      'asleep: the loop waits in a system call; computing: it also takes one of the cores from the engine',
      'delays by perf_hooks.monitorEventLoopDelay at a resolution of 1 ms, which is part of every reading',
    ],
  }
}

/** Blocks the event loop in the middle of a generation; how many tokens are there when it runs again. */
async function tokensWaiting(model: Model, prompt: Int32Array, block: Block): Promise<number> {
  let received = 0
  let before: number | undefined
  let waiting: Promise<number> | undefined
  await timeStream(model, prompt, {
    maxTokens: blockedTokens,
    onTokens(tokens) {
      received = tokens
      if (waiting !== undefined || tokens < tokensBefore) return
      before = tokens
      const started = performance.now()
      if (block === 'asleep') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs)
      else while (performance.now() - started < blockMs);
      // One turn of the loop hands over what waited; the engine adds a token or two in that time at most.
      waiting = new Promise((resolve) => setImmediate(() => setImmediate(() => resolve(received - before!))))
    },
  })
  if (waiting === undefined) throw new Error('The generation ended before the event loop was blocked.')
  return waiting
}

async function p99Delay(work: () => Promise<void>): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  await work()
  histogram.disable()
  return histogram.percentile(99) / 1e6
}

async function generateSideBySide(model: Model, round: number): Promise<void> {
  const salts = Array.from({ length: streamCount }, (_, index) => 100 * round + index + 2)
  const prompts = await Promise.all(salts.map((salt) => promptOf(model, 100, salt)))
  await Promise.all(prompts.map((prompt) => timeStream(model, prompt, { maxTokens: 128 })))
}
