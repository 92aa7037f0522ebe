import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeManifest } from '../../lib/store/index.js'
import { registryPulls } from './registry-pulls.js'
import { manifestOf, serveRegistry, type Call } from './scripted-registry.js'
import { tokenRegistry } from './token-registry.js'

const setup = registryPulls()
const manifest = Buffer.from(encodeManifest(manifestOf()))

describe('a registry where a login left a refresh token', () => {
  it('gives tokens for it, asked in the body of a request', async () => {
    const isKnown = ({ method, body, request }: Call) => {
      const form = new URLSearchParams(body.toString())
      const asked = ['grant_type', 'service', 'scope', 'client_id', 'refresh_token'].map((key) => form.get(key))
      expect(request.headers['content-type']).toBe('application/x-www-form-urlencoded')
      expect(asked.slice(0, 4)).toEqual(['refresh_token', 'x y', 'repository:ns/m:pull a:b:pull', 'llamero'])
      return method === 'POST' && form.get('refresh_token') === 'canary-refresh'
    }
    await using registry = await tokenRegistry(isKnown, { lifetime: 2 })
    const log = (identitytoken: string) => {
      const auths = { [registry.host]: { auth: Buffer.from('00000000:').toString('base64'), identitytoken } }
      writeFileSync(join(setup.directory, 'config.json'), JSON.stringify({ auths }))
    }
    log('canary-refresh')
    await setup.expectStored((await setup.pull(registry)).outcome, manifest)
    const tokens = registry.calls.filter(({ path }) => path === '/token')
    expect(tokens).toHaveLength(2)
    for (const { query, request } of tokens) {
      expect([...query]).toEqual([])
      expect(request.headers.authorization).toBeUndefined()
    }
    log('canary-that-was-revoked')
    expect((await setup.pull(registry, { name: 'other' })).outcome).toMatchObject({
      code: 'ERR_REGISTRY',
      message: expect.stringMatching(/docker login/) as string,
    })
  })

  it.each([301, 302, 307, 308])(
    'whose token server redirects (%i) is sent no refresh token elsewhere',
    async (status) => {
      let connections = 0
      const other = createServer((socket) => {
        connections += 1
        socket.destroy()
      })
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
      const location = `http://127.0.0.1:${(other.address() as { port: number }).port}/token`
      await using registry = await serveRegistry({
        behave: ({ path, response, request }) => {
          if (path === '/token') return void response.writeHead(status, { location }).end()
          const challenge = `Bearer realm="http://${request.headers.host}/token",service="s"`
          response.writeHead(401, { 'www-authenticate': challenge }).end()
        },
      })
      const auths = { [registry.host]: { identitytoken: 'canary' } }
      writeFileSync(join(setup.directory, 'config.json'), JSON.stringify({ auths }))
      const { outcome } = await setup.pull(registry)
      other.close()
      expect(outcome).toMatchObject({ code: 'ERR_REGISTRY' })
      expect(connections).toBe(0)
    },
  )
})
