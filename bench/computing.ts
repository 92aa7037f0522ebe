import { backendReport, cpuModules, nativeAddon } from '../lib/native.js'
import type { ModelOptions } from '../lib/model/index.js'

type Kernels = NonNullable<ModelOptions['kernels']>

let chosen: Kernels = 'llamero'

/**
 * What llamero computes with in this process: a CPU module by its name, which the tools of llama.cpp take as well, and
 * whose kernels. Before the first model is opened; the best module and kernels of its own without it.
 */
export function computeWith({ module, kernels = chosen }: { module?: string | undefined; kernels?: Kernels }): void {
  if (module !== undefined) nativeAddon({ cpuModule: module })
  const { cpuModule } = backendReport()
  if (module !== undefined && module !== cpuModule) {
    throw new Error(`The CPU module "${cpuModule}" is loaded already; "${module}" was asked for.`)
  }
  chosen = kernels
}

/** Whose kernels every model of the bench takes. */
export function kernels(): Kernels {
  return chosen
}

/** The CPU module that llamero takes by itself on this machine. */
export function bestModule(): string {
  return cpuModules()[0]!.name
}

/** Whether that module computes. What is to be reached is told of it; others have targets of their own. */
export function onBestModule(): boolean {
  return backendReport().cpuModule === bestModule()
}
