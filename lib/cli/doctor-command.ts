import { diagnose } from '../runtime/index.js'
import type { CommandContext } from './context.js'
import { diagnosisText } from './diagnosis-text.js'

/** The flags of `doctor`. */
export interface DoctorFlags {
  readonly json?: boolean
  readonly verbose?: boolean
}

/** Shows what this installation has and what is wrong with it; the exit code is 1 if anything is. */
export async function doctorCommand(context: CommandContext, { json }: DoctorFlags): Promise<number> {
  const { stdout, stderr, modelsDirectory, variables } = context
  const diagnosis = await diagnose({ modelsDirectory, variables })
  await stdout.print(json === true ? `${JSON.stringify(diagnosis, undefined, 2)}\n` : diagnosisText(diagnosis))
  const faults = diagnosis.findings.filter(({ kind }) => kind === 'fault')
  if (faults.length === 0) return 0
  await stderr.print(`Error: ${faults.length === 1 ? 'a check' : `${faults.length} checks`} failed\n`)
  return 1
}
