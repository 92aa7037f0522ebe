import { writeFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { expectHarmless } from '../support/harmless.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { serveRegistry } from '../transfer/scripted-registry.js'
import { runInProcess } from './in-process.js'

const temporary = temporaryDirectory()
const models = () => join(temporary.path, 'models')

describe('N8: secrets and prompts', () => {
  const secret = 'canary-1234'
  const proxy = `http://me:${secret}@127.0.0.1:9`
  const closed = 'http://127.0.0.1:9'
  const cases: readonly [rule: string, args: readonly string[], variables: Readonly<Record<string, string>>][] = [
    ['of a proxy', ['pull', 'hub.invalid/ns/m'], { HTTPS_PROXY: proxy, https_proxy: proxy }],
    ['of a proxy that is no address', ['pull', 'hub.invalid/ns/m'], { HTTPS_PROXY: `me:${secret}@[::` }],
    ['of Hugging Face', ['pull', 'hf.co/org/repo'], { HF_TOKEN: secret, HF_ENDPOINT: closed }],
    ['of a mirror', ['pull', 'hf.co/org/repo'], { HF_ENDPOINT: `http://me:${secret}@127.0.0.1:9` }],
    ['in an address', ['pull', `${closed}/m.gguf?token=${secret}`], {}],
    ['of an address', ['pull', `http://me:${secret}@127.0.0.1:9/m.gguf`], {}],
    ['in a prompt', ['run', join('nowhere', 'm.gguf'), `my password is ${secret}`, '--verbose'], {}],
    ['in a system message', ['run', join('nowhere', 'm.gguf'), 'hi', '--system', secret, '--verbose'], {}],
  ]
  it.each(cases)('%s are in no message', { timeout: 90_000 }, async (_, args, variables) => {
    const { exitCode, stdout, stderr } = await runInProcess(models(), args, variables)
    expect(exitCode).not.toBe(0)
    expect(stderr).toMatch(/^Error: /m)
    expectHarmless(stdout + stderr)
  })

  it('that Docker stored are in no message of a registry that refuses them', async () => {
    const docker = join(temporary.path, 'docker')
    mkdirSync(docker, { recursive: true })
    await using registry = await serveRegistry({
      behave: ({ request, response }) =>
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(request.headers.authorization),
    })
    const auth = Buffer.from(`me:${secret}`).toString('base64')
    writeFileSync(join(docker, 'config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }))
    const variables = { DOCKER_CONFIG: docker }
    const { exitCode, stderr } = await runInProcess(
      models(),
      ['pull', `${registry.host}/ns/m`, '--insecure'],
      variables,
    )
    expect(exitCode).toBe(1)
    expectHarmless(stderr)
    expect(registry.calls.map(({ request }) => request.headers.authorization)).toContain(`Basic ${auth}`)
  })
})
