import { Store, type VerifyProgress } from '../store/index.js'
import { byteSize } from './byte-size.js'
import type { CommandContext } from './context.js'
import type { Output } from './output.js'
import { fit, progressBar } from './progress-bar.js'
import { ProgressDisplay, spinner } from './progress-display.js'
import { storedName } from './stored-name.js'

/** Hashes the blobs of some models, or of all, and says what is wrong; the exit code is 1 if anything is. */
export async function verifyCommand(context: CommandContext, models: readonly string[]): Promise<number> {
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
  if (report.isClean) return 0
  const faults = report.damagedBlobs.length + report.warnings.length
  await stderr.print(`Error: the store has ${counted(faults, 'damaged file')}\n`)
  return 1
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
