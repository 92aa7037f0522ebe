import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cpuModules } from '../../lib/native.js'
import { peerPath } from '../support/peer-tool.js'
import { smollm2Path } from '../support/real-models.js'

/** How a text is read by SmolLM2. */
export interface Reading {
  /** How many tokens of the text, rounded up to windows of 512. */
  readonly tokens: number
  /** How many are decoded at once: 512 as in a prompt, one as in an answer. */
  readonly rows: number
  /** Type of the cached keys and values. */
  readonly cacheType: 'f16' | 'q8_0'
}

/** How well SmolLM2 foretold the text by either side's kernels. */
export interface Perplexity {
  readonly tokens: number
  readonly own: number
  readonly upstream: number
  /** Standard error of the logarithm of own ÷ upstream: both round, each in its own way, token by token. */
  readonly error: number
  /** How far our distributions lie from upstream's, in nats: Kullback-Leibler, on average. */
  readonly divergence: number
}

const run = promisify(execFile)
const docs = join(import.meta.dirname, '..', '..', 'docs')

/** The pages of docs/: they change, but both sides read the same. */
const pages = readdirSync(docs)
  .filter((name) => name.endsWith('.md'))
  .sort()
  .map((name) => join(docs, name))

/** Most that our perplexity may be off upstream's, as a share of it, beside three standard errors. */
const mostApart = 0.001
/** Most nats that our distributions may lie from upstream's on average: 0.004 to 0.005 were seen on one kind of CPU. */
const mostDivergence = 0.01

/** Reads the pages of docs/ by our kernels and by upstream's, with the best CPU module for this machine. */
export async function measurePerplexity({ tokens, rows, cacheType }: Reading): Promise<Perplexity> {
  const [best] = cpuModules()
  const args = [best!.path, await smollm2Path(), String(tokens), String(rows), cacheType, ...pages]
  const { stdout } = await run(peerPath('perplexity-check'), args)
  return JSON.parse(stdout) as Perplexity
}

/** What is wrong with what was found; nothing, if our kernels foretell the text as upstream's do. */
export function faultsOf({ own, upstream, error, divergence }: Perplexity): string[] {
  const faults: string[] = []
  const apart = own / upstream - 1
  if (!(Math.abs(apart) <= mostApart + 3 * error))
    faults.push(`perplexity ${own} is ${(100 * apart).toFixed(3)} % off ${upstream}`)
  if (!(divergence <= mostDivergence)) faults.push(`distributions are ${divergence} nats apart`)
  return faults
}
