/** Finds the native addon, loads it once per environment and opens its backends. */
import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LlameroError } from './errors.js'
import type { Addon, BackendReport, CpuModule } from './native-types.js'

export type * from './native-types.js'

/** Where the addon and its modules come from; what is left out is found. */
export interface NativeSource {
  /** Folder that holds `llamero.node` and its backend modules. */
  readonly directory?: string
  /** Name or path of the CPU module to use instead of the best one. */
  readonly cpuModule?: string
}

interface Loaded {
  readonly addon: Addon
  readonly directory: string
  readonly report: BackendReport
}

const packageRoot = join(dirname(fileURLToPath(import.meta.url)), '..')
const addonName = 'llamero.node'
let loaded: Loaded | undefined

/**
 * The addon, loaded on first use. Backends belong to the process: a later call with another `cpuModule` answers with what
 * is loaded already.
 *
 * @throws {@link LlameroError} `ERR_NATIVE_MISSING` with what was tried and the command that builds it
 */
export function nativeAddon(source: NativeSource = {}): Addon {
  return load(source).addon
}

/** llamero's own version, such as `0.1.0`. */
export const llameroVersion = (createRequire(import.meta.url)('../package.json') as { version: string }).version

/** llama.cpp's tag, the CPU module in use and the devices found. */
export function backendReport(): BackendReport {
  return load({}).report
}

/** The CPU modules beside the addon, best first, with llama.cpp's score for this machine. */
export function cpuModules(): CpuModule[] {
  const { addon, directory } = load({})
  return addon.cpuModules(directory)
}

/** Files of modules for GPUs beside the addon, whether they load or not. */
export function acceleratorModules(): string[] {
  const { directory } = load({})
  return readdirSync(directory)
    .filter((name) => /^(?:lib)?ggml-(?:cuda|hip|metal|vulkan)\.(?:so|dylib|dll)$/.test(name))
    .sort()
    .map((name) => join(directory, name))
}

/** The text of a chat template of llama.cpp's collection, which lies beside the addon. */
export function templateFile(name: string): Promise<string> {
  return readFile(join(load({}).directory, 'templates', name), 'utf8')
}

function load(source: NativeSource): Loaded {
  if (loaded) return loaded
  // ggml would fork a debugger to print a backtrace when it aborts; it reads this when its library is loaded.
  process.env['GGML_NO_BACKTRACE'] = '1'
  const require = createRequire(import.meta.url)
  const path = addonPath(require, source.directory)
  let addon: Addon
  try {
    addon = require(path) as Addon
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new LlameroError('ERR_NATIVE_MISSING', `The native addon does not load: ${reason}. ${cure}`, { cause })
  }
  addon.initialize(LlameroError)
  const directory = dirname(path)
  const report = addon.loadBackends(directory, source.cpuModule ?? '')
  loaded = { addon, directory, report }
  return loaded
}

const cure = "Run 'npm run build' in llamero's folder to build it."

function addonPath(require: NodeJS.Require, directory: string | undefined): string {
  const built = join(directory ?? join(packageRoot, 'build', 'Release'), addonName)
  if (existsSync(built)) return built
  if (directory === undefined) {
    try {
      const { path } = require('node-gyp-build') as { path: (root: string) => string }
      return path(packageRoot)
    } catch {
      // Falls through to the error that names every place.
    }
  }
  throw new LlameroError('ERR_NATIVE_MISSING', `There is no native addon in build/Release or prebuilds. ${cure}`)
}
