import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { backendReport } from '../../lib/native.js'
import { onBestModule } from '../computing.js'

const execute = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const built = join(root, '.cmake', 'release', 'bin')

/** Whether one of llama.cpp's own tools is built. */
export function isBuilt(name: string): boolean {
  return existsSync(join(built, name))
}

/** The path of such a tool, once it is sure to run on llamero's own CPU module. */
export async function findTool(name: string): Promise<string> {
  if (!isBuilt(name)) throw new Error(`${name} is not built. Run 'npm run build:peers' first.`)
  return join(await (folder ??= sameModule()), name)
}

let folder: Promise<string> | undefined

/** A folder whose tools run on llamero's module: another one, or another build, would make a ratio mean something else. */
async function sameModule(): Promise<string> {
  const { cpuModule } = backendReport()
  const tools = onBestModule() ? built : placeBeside(cpuModule)
  // All tools choose as this one does.
  const { stderr } = await execute(join(tools, 'llama-bench'), ['--list-devices'])
  const module = /libggml-cpu-(\w+)\.\w+/.exec(stderr)?.[1]
  if (module !== cpuModule) {
    throw new Error(`llama.cpp's tools run on the CPU module "${module ?? '?'}", llamero on "${cpuModule}".`)
  }
  const files = [tools, join(root, 'build', 'Release')].map((place) => join(place, `libggml-cpu-${module}.so`))
  const digests = files.map((file) => createHash('sha256').update(readFileSync(file)).digest('hex'))
  if (digests[0] !== digests[1]) {
    throw new Error(`The module "${module}" of the tools is another build than llamero's. Run 'npm run build:peers'.`)
  }
  return tools
}

/** llama.cpp can't be told which module to take: it takes the best beside the program. So one lies there alone. */
function placeBeside(module: string): string {
  const place = join(root, '.cmake', 'release', `bin-${module}`)
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place)
  const files = readdirSync(built, { withFileTypes: true }).filter((entry) => entry.isFile())
  const names = files
    .map(({ name }) => name)
    .filter((name) => ofModule(name) === undefined || ofModule(name) === module)
  for (const name of names) linkSync(join(built, name), join(place, name))
  return place
}

function ofModule(file: string): string | undefined {
  return /^libggml-cpu-(\w+)\./.exec(file)?.[1]
}
