import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mediaTypes, Store } from '../../lib/store/index.js'
import { writeScriptedModel } from '../support/scripted-model.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { hasRegistry, startRegistry, whyNoRegistry } from '../transfer/real-registry.js'
import { freshEnvironment, llamero } from './command-line.js'

const temporary = temporaryDirectory()

describe.skipIf(!hasRegistry)(`push and pull on the command line${whyNoRegistry}`, () => {
  it('take a model to a registry and from there to another store', async () => {
    await using registry = await startRegistry(temporary.path)
    const name = `${registry.host}/team/model:1`
    const [first, second] = [freshEnvironment(temporary.path), freshEnvironment(temporary.path)]
    const store = new Store({ directory: first.LLAMERO_MODELS })
    const weights = readFileSync(await writeScriptedModel(join(temporary.path, 'model.gguf')))
    const { digest, sizeBytes: size } = await store.blobs.ingest([weights])
    await store.createModel(name, { layers: [{ mediaType: mediaTypes.model, digest, size }] })

    const pushed = await llamero(['push', name, '--insecure'], { environment: first })
    expect(pushed).toMatchObject({ exitCode: 0, stdout: `\nYou can find your model at:\n\n\t${name}\n` })
    expect(pushed.stderr).toMatch(/^retrieving manifest\npushing \w{12}\npushing \w{12}\npushing manifest\nsuccess\n$/)

    const refused = await llamero(['pull', name], { environment: second })
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
    const pulled = await llamero(['pull', name, '--insecure'], { environment: second })
    expect(pulled).toMatchObject({ exitCode: 0, stdout: '' })
    expect(pulled.stderr).toMatch(
      /^pulling manifest\n(pulling \w{12}\n){2}verifying sha256 digest\nwriting manifest\nsuccess\n$/,
    )
    const copy = await new Store({ directory: second.LLAMERO_MODELS }).resolve(name)
    expect(readFileSync(copy.modelPath).equals(weights)).toBe(true)
  })
})
