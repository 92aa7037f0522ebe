import { access, readFile } from 'node:fs/promises'
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os'
import { LlameroError } from '../errors.js'
import {
  acceleratorModules,
  backendReport,
  cpuModules,
  llameroVersion,
  nativeAddon,
  type BackendReport,
  type CpuModule,
} from '../native.js'
import { Store } from '../store/index.js'
import { storeUsage, type StoreUsage } from '../store/usage.js'
import { obeyedVariables, strangeVariables, type Variables } from './known-variables.js'

/** What models compute with. */
export interface EngineFacts extends BackendReport {
  /** Best first. */
  readonly cpuModules: readonly CpuModule[]
  /** Files of modules for GPUs beside the addon. */
  readonly acceleratorModules: readonly string[]
  /** What is free of the main memory, limits of control groups included. */
  readonly freeBytes: number
}

/** The machine that it is on. */
export interface MachineFacts {
  readonly platform: string
  readonly release: string
  readonly architecture: string
  readonly cpu: string
  /** What the CPU is known to have, in Linux's words; empty elsewhere. */
  readonly instructions: readonly string[]
  /** Cores that this process may use: the compute threads of a model. */
  readonly threads: number
  readonly memoryBytes: number
  /** Whether the driver of an NVIDIA GPU is there. */
  readonly hasNvidia: boolean
}

/** The models of this machine. */
export interface StoreFacts extends StoreUsage {
  readonly directory: string
  readonly models: number
  /** What is wrong with models, or with the store, for people. */
  readonly faults: readonly string[]
}

/** What is looked at. */
export interface InstallationOptions {
  /** The folder of the store. */
  readonly modelsDirectory: string
  readonly variables: Variables
}

/** An installation of llamero: what it is made of, and what it finds around it. */
export interface Installation {
  readonly versions: { readonly llamero: string; readonly node: string }
  readonly machine: MachineFacts
  /** Or why there is none, for people. */
  readonly engine: EngineFacts | string
  readonly store: StoreFacts
  /** Variables that are set and obeyed, without secrets. */
  readonly variables: Readonly<Record<string, string>>
  /** Variables that are set and look as if they were obeyed. */
  readonly strangeVariables: readonly string[]
}

/** Looks at this installation of llamero; nothing is judged. */
export async function readInstallation({ modelsDirectory, variables }: InstallationOptions): Promise<Installation> {
  return {
    versions: { llamero: llameroVersion, node: process.version },
    machine: await machineFacts(),
    engine: engineFacts(),
    store: await storeFacts(modelsDirectory),
    variables: obeyedVariables(variables),
    strangeVariables: strangeVariables(variables),
  }
}

async function machineFacts(): Promise<MachineFacts> {
  const information = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  return {
    platform: platform(),
    release: release(),
    architecture: arch(),
    cpu: cpus()[0]?.model.trim() ?? '',
    instructions: /^(?:flags|Features)\s*:(.*)$/m.exec(information)?.[1]?.trim().split(/\s+/) ?? [],
    threads: availableParallelism(),
    memoryBytes: totalmem(),
    hasNvidia: await access('/proc/driver/nvidia/version').then(
      () => true,
      () => false,
    ),
  }
}

function engineFacts(): EngineFacts | string {
  try {
    return {
      ...backendReport(),
      cpuModules: cpuModules(),
      acceleratorModules: acceleratorModules(),
      freeBytes: nativeAddon().freeMemory('').mainBytes,
    }
  } catch (error) {
    return messageOf(error)
  }
}

async function storeFacts(directory: string): Promise<StoreFacts> {
  const usage = await storeUsage(directory)
  const store = new Store({ directory })
  try {
    const { models, warnings } = await store.list()
    const faults = warnings.map(({ message }) => message)
    for (const { displayName } of models) {
      const fault = await faultOf(store, displayName)
      if (fault !== undefined) faults.push(fault)
    }
    return { directory, models: models.length, ...usage, faults }
  } catch (error) {
    return { directory, models: 0, ...usage, faults: [messageOf(error)] }
  }
}

/** Why the weights of a model are not there as a whole. They are not read: `verify` does that. */
async function faultOf(store: Store, model: string): Promise<string | undefined> {
  try {
    await store.resolve(model)
    return undefined
  } catch (error) {
    if (error instanceof LlameroError && error.code !== 'ERR_STORE') return undefined
    return messageOf(error)
  }
}

function messageOf(error: unknown): string {
  if (error instanceof LlameroError) return error.message
  throw error
}
