/**
 * llama.cpp answers some bad files by ending the process, and no `catch` stops that. So the first load of an unknown model
 * happens in a throw-away child, under limits of time and memory; a pass is remembered.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { freemem } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorCodes, LlameroError, type ErrorCode } from '../errors.js'
import { metadataOverrides, type GgufFile, type MetadataOverrides } from '../gguf/index.js'
import { probeKey, probeRecord, type ProbeRecord } from './probe-record.js'

/** What the parent sends to the child. */
export interface ProbeTask {
  readonly path: string
  readonly metadataOverrides: MetadataOverrides
  /** Whether to load the weights too. */
  readonly weights: boolean
  /** Whether its trained head computes too. */
  readonly mtp: boolean
  /** A trained head in a file of its own to try with the model, which then is known already. */
  readonly head?: { readonly path: string; readonly metadataOverrides: MetadataOverrides }
  /** The projector to try with the model, which then is known already. */
  readonly projector?: string
}

/** What the child answers if it lives. */
export type ProbeReply =
  { readonly passed: true } | { readonly passed: false; readonly code: string; readonly message: string }

export interface ProbeLimits {
  /** @default 60 s and 60 s more for each GiB of the file */
  readonly timeMs: number
  /** Resident memory of the child, watched on Linux. @default 1 GiB and 3 times the file */
  readonly memoryBytes: number
}

/** A file and the header that was read from it. */
export interface ProbedFile {
  readonly path: string
  readonly file: GgufFile
}

export interface ProbeOptions {
  readonly record?: ProbeRecord
  readonly limits?: ProbeLimits
  readonly signal?: AbortSignal | undefined
  /** Whether the model's trained head is tried too. @default false */
  readonly mtp?: boolean
}

const gibibyte = 2 ** 30
const watchEveryMs = 100
const pageBytes = 4096

/**
 * Makes sure that a model can be loaded without ending the process.
 *
 * @param path a file that `file` was read from
 * Errors: `ERR_MODEL_REJECTED` if the child died on it or passed its limits; what the child met otherwise.
 */
export async function probeModel(path: string, file: GgufFile, options: ProbeOptions = {}): Promise<void> {
  const record = options.record ?? probeRecord()
  const { mtp = false } = options
  const key = mtp ? digest(`${await probeKey(path, file)} mtp`) : await probeKey(path, file)
  if (await record.has(key)) return
  const limits = options.limits ?? defaultLimits(file.sizeBytes)
  // Repacked weights lie in memory twice, and the parent's own load is still to come.
  const weights = 2 * file.sizeBytes < freemem()
  await runProbe({ path, metadataOverrides: metadataOverrides(file), weights, mtp }, limits, options.signal)
  await record.add(key)
}

/** The same for a projector, which is tried with a model that has passed. */
export async function probeProjector(
  model: ProbedFile,
  projector: ProbedFile,
  { record = probeRecord(), limits, signal }: ProbeOptions = {},
): Promise<void> {
  const keys = await Promise.all([model, projector].map(({ path, file }) => probeKey(path, file)))
  const key = digest(keys.join())
  if (await record.has(key)) return
  const bytes = model.file.sizeBytes + projector.file.sizeBytes
  const overrides = metadataOverrides(model.file)
  const task = { path: model.path, metadataOverrides: overrides, weights: true, mtp: false, projector: projector.path }
  await runProbe(task, limits ?? defaultLimits(bytes), signal)
  await record.add(key)
}

/** The same for a trained head in a file of its own. */
export async function probeHead(
  model: ProbedFile,
  { path, file }: ProbedFile,
  { record = probeRecord(), limits, signal }: ProbeOptions = {},
): Promise<void> {
  const key = digest(`${await probeKey(model.path, model.file)} ${await probeKey(path, file)}`)
  if (await record.has(key)) return
  const bytes = model.file.sizeBytes + file.sizeBytes
  // As for a model: what does not fit beside the parent's own load can't be tried.
  if (2 * bytes >= freemem()) return
  const overrides = metadataOverrides(model.file)
  const head = { path, metadataOverrides: metadataOverrides(file) }
  const task = { path: model.path, metadataOverrides: overrides, weights: true, mtp: false, head }
  await runProbe(task, limits ?? defaultLimits(bytes), signal)
  await record.add(key)
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

export function defaultLimits(sizeBytes: number): ProbeLimits {
  return { timeMs: 60_000 * (1 + sizeBytes / gibibyte), memoryBytes: gibibyte + 3 * sizeBytes }
}

async function runProbe(task: ProbeTask, limits: ProbeLimits, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  const child = startChild()
  let killedFor: string | undefined
  const kill = (reason: string): void => {
    killedFor ??= reason
    child.kill('SIGKILL')
  }
  const abort = (): void => kill('cancelled')
  signal?.addEventListener('abort', abort, { once: true })
  const timer = setTimeout(() => kill(`took longer than ${Math.round(limits.timeMs / 1000)} s`), limits.timeMs)
  const watch = setInterval(() => {
    void residentBytes(child).then((bytes) => {
      if (bytes > limits.memoryBytes) kill(`used more than ${Math.round(limits.memoryBytes / 2 ** 20)} MiB of memory`)
    })
  }, watchEveryMs)
  try {
    const reply = await askChild(child, task)
    signal?.throwIfAborted()
    if (!reply) throw rejected(killedFor ?? `ended its process (${child.signalCode ?? `exit code ${child.exitCode}`})`)
    if (!reply.passed) throw new LlameroError(knownCode(reply.code), reply.message)
  } finally {
    clearTimeout(timer)
    clearInterval(watch)
    signal?.removeEventListener('abort', abort)
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  }
}

function startChild(): ChildProcess {
  const extension = extname(fileURLToPath(import.meta.url))
  // Run from sources, as in the tests, the child needs the same loader.
  const execArgv = extension === '.ts' ? ['--import', import.meta.resolve('tsx')] : []
  return fork(new URL(`./probe-child${extension}`, import.meta.url), { execArgv, stdio: 'ignore' })
}

/** The child's reply, or undefined if it ended without one. */
function askChild(child: ChildProcess, task: ProbeTask): Promise<ProbeReply | undefined> {
  return new Promise((resolve, reject) => {
    let reply: ProbeReply | undefined
    child.once('message', (message) => (reply = message as ProbeReply))
    child.once('error', (cause) =>
      reject(
        new LlameroError('ERR_INTERNAL', `The probe's process could not be started: ${cause.message}.`, { cause }),
      ),
    )
    child.once('close', () => resolve(reply))
    child.send(task, () => undefined)
  })
}

async function residentBytes({ pid }: ChildProcess): Promise<number> {
  try {
    const [, pages = '0'] = (await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ')
    return Number(pages) * pageBytes
  } catch {
    return 0
  }
}

function rejected(reason: string): LlameroError {
  return new LlameroError(
    'ERR_MODEL_REJECTED',
    `Loading the model was tried in a separate process, and it ${reason}. The file is damaged or made to do harm; fetch it again from a source that you trust.`,
    { details: { reason } },
  )
}

function knownCode(code: string): ErrorCode {
  return code in errorCodes ? (code as ErrorCode) : 'ERR_MODEL_REJECTED'
}
