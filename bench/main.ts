/**
 * Side-by-side measurements. Usage: npm run bench -- [options] [scenario …]; see `--help`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { computeWith } from './computing.js'
import { busyCores, conditions, describe, quietness } from './conditions.js'
import { plot } from './plot.js'
import { asJson, meets, table } from './report.js'
import type { Findings, Scenario } from './scenario.js'
import { busy } from './scenarios/busy.js'
import { depths } from './scenarios/depths.js'
import { embeddings } from './scenarios/embeddings.js'
import { eventLoop } from './scenarios/event-loop.js'
import { fairness } from './scenarios/fairness.js'
import { layouts } from './scenarios/layouts.js'
import { memory } from './scenarios/memory.js'
import { nodeLlamaCpp } from './scenarios/node-llama-cpp.js'
import { peers } from './scenarios/peers.js'
import { sessions } from './scenarios/sessions.js'
import { sharedPrefix } from './scenarios/shared-prefix.js'
import { speculation } from './scenarios/speculation.js'
import { speed } from './scenarios/speed.js'
import { streams } from './scenarios/streams.js'
import { structured } from './scenarios/structured.js'

const scenarios: readonly Scenario[] = [
  speed,
  nodeLlamaCpp,
  eventLoop,
  busy,
  depths,
  streams,
  ...layouts,
  peers,
  sharedPrefix,
  ...fairness,
  sessions,
  memory,
  embeddings,
  speculation,
  structured,
]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    module: { type: 'string' },
    kernels: { type: 'string', default: 'llamero' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

if (values.help) {
  console.log(`npm run bench -- [--model FILE.gguf] [--rounds N] [--module NAME] [--kernels llamero|upstream] [scenario …]

--model   weights to measure with; without it SmolLM2-135M, pulled on first use
--rounds  readings of each figure, taken alternately with the peer's; 5 without it
--module  CPU module of llamero and of llama.cpp's tools, such as haswell; without it the best that runs here
--kernels whose kernels llamero computes with; without it llamero's own
scenarios (all without one):
${scenarios.map(({ name, title }) => `  ${name.padEnd(16)}${title}`).join('\n')}`)
} else {
  await main()
}

async function main(): Promise<void> {
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds takes a whole number; got ${values.rounds}.`)
  const unknown = positionals.filter((name) => !scenarios.some((scenario) => scenario.name === name))
  if (unknown.length > 0) {
    throw new Error(
      `There is no scenario "${unknown[0]!}"; choose from ${scenarios.map(({ name }) => name).join(', ')}.`,
    )
  }
  const chosen = scenarios.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  const { module, kernels } = values
  if (kernels !== 'llamero' && kernels !== 'upstream') {
    throw new Error(`--kernels takes llamero or upstream; got ${kernels}.`)
  }
  computeWith({ module, kernels })
  const modelPath = values.model ?? (await defaultModel())

  const measuredOn = await conditions(modelPath)
  console.log(`${describe(measuredOn)}\n`)
  const found: { scenario: Scenario; findings: Findings }[] = []
  const failures: string[] = []
  for (const scenario of chosen) {
    const quiet = quietness(await busyCores())
    try {
      const say = (line: string): void => console.error(`  ${scenario.name}: ${line}`)
      const findings = await scenario.run({ modelPath, rounds, say })
      const noted = { ...findings, notes: [...findings.notes, quiet] }
      found.push({ scenario, findings: noted })
      console.log(`${table(scenario, noted)}\n`)
    } catch (error) {
      failures.push(
        `${scenario.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      )
      console.error(failures.at(-1))
    }
  }
  const missed = found.flatMap(({ findings }) => findings.rows.filter((row) => meets(row) === false))
  console.log(missed.length === 0 ? 'All targets met.' : `Missed: ${missed.map(({ name }) => name).join('; ')}.`)
  const results = found.map(({ scenario, findings }) => ({ scenario: scenario.name, ...asJson(findings) }))
  save(
    measuredOn.date,
    JSON.stringify({ measuredOn, rounds, results, failures }, null, 2),
    plot(describe(measuredOn), found),
  )
  if (failures.length > 0) process.exitCode = 1
}

function save(date: string, json: string, svg: string): void {
  const folder = new URL('results/', import.meta.url)
  mkdirSync(folder, { recursive: true })
  const stem = date.slice(0, 19).replaceAll(':', '-')
  for (const [extension, content] of [
    ['json', json],
    ['svg', svg],
  ] as const) {
    writeFileSync(fileURLToPath(new URL(`${stem}.${extension}`, folder)), `${content}\n`)
  }
  console.log(`Written to bench/results/${stem}.json and .svg`)
}

async function defaultModel(): Promise<string> {
  const { smollm2Path } = await import('../test/support/real-models.js')
  return smollm2Path()
}
