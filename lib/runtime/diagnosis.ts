import { findingsOf, type Finding } from './findings.js'
import { readInstallation, type Installation, type InstallationOptions } from './installation.js'

/** An installation and what is to be said about it. */
export interface Diagnosis extends Installation {
  /** Faults first. */
  readonly findings: readonly Finding[]
}

/** Says what this installation has, and what keeps models from loading or makes them slow. */
export async function diagnose(options: InstallationOptions): Promise<Diagnosis> {
  const installation = await readInstallation(options)
  return { ...installation, findings: findingsOf(installation) }
}
