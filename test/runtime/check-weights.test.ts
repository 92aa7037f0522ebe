import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { readGguf } from '../../lib/gguf/index.js'
import { checkWeights } from '../../lib/runtime/index.js'
import { mediaTypes, Store } from '../../lib/store/index.js'
import { runInProcess } from '../cli/in-process.js'
import { createModel } from '../store/stored-models.js'
import { randomModel } from '../support/random-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const temporary = temporaryDirectory()
const probeDirectory = join(temporary.path, 'probes')
let store: Store
let count = 0
beforeEach(() => {
  store = new Store({ directory: join(temporary.path, `store-${(count += 1)}`) })
})

/** Stores a model some of whose weights are no numbers. */
async function createBroken(name: string, tensors: readonly string[]): Promise<void> {
  const path = await temporary.write('broken.gguf', randomModel('llama'))
  const file = await readGguf(path)
  const bytes = Buffer.from(randomModel('llama'))
  for (const { name: tensor, offset, sizeBytes } of file.tensors)
    if (tensors.includes(tensor)) bytes.fill(0xff, offset, offset + sizeBytes)
  const { digest, sizeBytes } = await store.blobs.ingest([bytes])
  await store.createModel(name, { layers: [{ mediaType: mediaTypes.model, digest, size: sizeBytes }] })
}

describe('G12: weights that are no numbers', () => {
  it('are found by name, in models whose digests are right', async () => {
    await createModel(store, 'good')
    await createBroken('bad', ['output.weight', 'blk.0.ffn_up.weight'])
    expect(await store.verify()).toMatchObject({ isClean: true })
    const damaged = await checkWeights(store, (await store.list()).models, { probeDirectory })
    expect(damaged).toEqual([{ model: 'bad:latest', message: expect.any(String) as string }])
    expect(damaged[0]?.message).toMatch(/no numbers in tensor '[^']+', tensor '[^']+';/)
    for (const name of ['output.weight', 'blk.0.ffn_up.weight']) expect(damaged[0]?.message).toContain(`'${name}'`)
  })

  it('end `verify --deep` with exit code 1, and no other', { timeout: 60_000 }, async () => {
    await createModel(store, 'good')
    await createBroken('bad', ['output.weight'])
    expect((await runInProcess(store.directory, ['verify'])).exitCode).toBe(0)
    const { exitCode, stdout, stderr } = await runInProcess(store.directory, ['verify', '--deep'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: 'Error: the store has 1 damaged file\n' })
    expect(stdout).toMatch(/^verified .*\nbad:latest: .*'output\.weight'.*\nchecked the weights of 2 models\n$/)
    expect(await runInProcess(store.directory, ['verify', '--deep', 'GOOD'])).toMatchObject({ exitCode: 0, stderr: '' })
  })
})
