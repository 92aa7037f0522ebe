import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect } from 'vitest'
import { LlameroError } from '../../lib/errors.js'
import { Store, type StoredModel } from '../../lib/store/index.js'
import { pull, type PullOptions, type PullProgress } from '../../lib/transfer/index.js'
import { expectClean } from '../store/clean-store.js'
import { expectHarmlessError } from '../support/harmless.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import type { ScriptedRegistry } from './scripted-registry.js'

export const retry = { attempts: 3, pauseMs: 1, idleMs: 2_000 }

/** A fresh store, Docker configuration and key for each test, and pulls into that store. */
export function registryPulls() {
  const temporary = temporaryDirectory()
  let directory = ''
  let store = new Store({ directory: 'unused' })
  let count = 0
  beforeEach(() => {
    directory = join(temporary.path, `case-${(count += 1)}`)
    mkdirSync(directory)
    store = new Store({ directory: join(directory, 'store') })
  })
  const options = (changes: PullOptions = {}): PullOptions => ({
    insecure: true,
    retry,
    identity: join(directory, 'id_ed25519'),
    ...changes,
    variables: { DOCKER_CONFIG: directory, ...changes.variables },
  })

  return {
    get store() {
      return store
    },
    get directory() {
      return directory
    },
    options,
    /** What `docker login` would have written. */
    logIn(host: string, user = 'me', password = 'canary') {
      const auth = Buffer.from(`${user}:${password}`).toString('base64')
      writeFileSync(join(directory, 'config.json'), JSON.stringify({ auths: { [host]: { auth } } }))
    },
    async pull(registry: Pick<ScriptedRegistry, 'host'>, changes: PullOptions = {}, name = 'ns/m:1', into = store) {
      const pulling = pull(into, `${registry.host}/${name}`, options(changes))
      const news: PullProgress[] = []
      try {
        for await (const one of pulling) news.push(one)
      } catch {
        // The outcome has it.
      }
      const outcome = await pulling.result.catch((error: unknown) => error as LlameroError)
      if (outcome instanceof LlameroError) expect(outcome.message).not.toMatch(/127\.0\.0\.1.*\?/)
      expectHarmlessError(outcome)
      return { outcome, news }
    },
    /** The model is there, clean, and its manifest is the very bytes that the registry has. */
    async expectStored(outcome: StoredModel | Error, manifest: Buffer, into = store) {
      if (outcome instanceof Error) throw outcome
      const { host, namespace, model, tag } = outcome.name
      const path = join(into.directory, 'manifests', host, namespace, model, tag)
      expect(readFileSync(path).equals(manifest)).toBe(true)
      await expectClean(into)
      expect(readdirSync(join(into.directory, 'ingest'))).toEqual([])
    },
    async expectNothing() {
      await expectClean(store)
      expect((await store.list()).models).toEqual([])
    },
  }
}
