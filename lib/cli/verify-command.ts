import { checkWeights } from '../runtime/index.js'
import { sameName, Store, type ModelName, type VerifyProgress, type VerifyReport } from '../store/index.js'
import { byteSize } from './byte-size.js'
import type { CommandContext } from './context.js'
import type { Output } from './output.js'
import { fit, progressBar } from './progress-bar.js'
import { ProgressDisplay, spinner } from './progress-display.js'
import { storedName } from './stored-name.js'

/** The flags of `verify`. */
export interface VerifyFlags {
  readonly deep?: boolean
  readonly verbose?: boolean
}

/** Hashes the blobs of some models, or of all, and says what is wrong; the exit code is 1 if anything is. */
export async function verifyCommand(
  context: CommandContext,
  models: readonly string[],
  { deep }: VerifyFlags,
): Promise<number> {
  const { stdout, stderr, interruption, modelsDirectory } = context
  const store = new Store({ directory: modelsDirectory })
  const names = models.map(storedName)
  const display = showProgress(stderr)
  const { signal } = interruption
  const verifying = store.verify({
    ...(names.length > 0 && { models: names }),
    signal,
    onProgress: (news) => display.report(news),
  })
  const report = await verifying.finally(() => display.end())
  for (const { message } of report.warnings) await stdout.print(`${message}\n`)
  for (const { message, models: owners } of report.damagedBlobs) {
    await stdout.print(`${message} Pull again: ${owners.join(', ')}\n`)
  }
  const { blobs, models: count, hashedBytes } = report
  await stdout.print(`verified ${counted(blobs, 'blob')} of ${counted(count, 'model')}, ${byteSize(hashedBytes)}\n`)
  const weights = deep === true ? await deepFaults(context, store, { names, report }) : 0
  const faults = report.damagedBlobs.length + report.warnings.length + weights
  if (faults === 0) return 0
  await stderr.print(`Error: the store has ${counted(faults, 'damaged file')}\n`)
  return 1
}

/** Looks at the weights of models whose files are whole; how many are damaged. */
async function deepFaults(
  { stdout, stderr, interruption }: CommandContext,
  store: Store,
  { names, report }: { readonly names: readonly ModelName[]; readonly report: VerifyReport },
): Promise<number> {
  const torn = new Set(report.damagedBlobs.flatMap(({ models }) => models))
  const { models } = await store.list()
  const isWanted = (name: ModelName): boolean => names.length === 0 || names.some((wanted) => sameName(wanted, name))
  const whole = models.filter(({ name, displayName }) => !torn.has(displayName) && isWanted(name))
  let current = ''
  const line = (columns: number): readonly string[] => [fit(`checking weights of ${current} ${spinner()}`, columns)]
  const display = stderr.canRedraw ? new ProgressDisplay(stderr, line) : undefined
  const onModel = (model: string): void => void (current = model)
  const checking = checkWeights(store, whole, { signal: interruption.signal, onModel })
  const damaged = await checking.finally(() => display?.clear())
  for (const { model, message } of damaged) await stdout.print(`${model}: ${message}\n`)
  await stdout.print(`checked the weights of ${counted(whole.length, 'model')}\n`)
  return damaged.length
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

const label = 'verifying sha256 digest'

interface ProgressView {
  report(news: VerifyProgress): void
  end(): void
}

function showProgress(stderr: Output): ProgressView {
  const startedAt = performance.now()
  let latest: VerifyProgress | undefined
  const line = (columns: number): readonly string[] => {
    if (latest === undefined) return [fit(`${label} ${spinner()}`, columns)]
    const { completedBytes, totalBytes } = latest
    const rate = (completedBytes * 1000) / Math.max(1, performance.now() - startedAt)
    const state = { label, completedBytes, totalBytes, rate, isFinished: false }
    return [progressBar(state, columns)]
  }
  const display = stderr.canRedraw ? new ProgressDisplay(stderr, line) : undefined
  return { report: (news) => (latest = news), end: () => display?.clear() }
}
