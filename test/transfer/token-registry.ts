import { serveRegistry, type Call, type ScriptedRegistry } from './scripted-registry.js'

/** A registry that wants a token, which it gives to those of whom `isKnown` is true. */
export const tokenRegistry = async (
  isKnown: (call: Call, registry: ScriptedRegistry) => boolean,
  { realm = (host: string) => `http://${host}/token`, lifetime = Infinity } = {},
) => {
  let uses = 0
  let given = 0
  const registry: ScriptedRegistry = await serveRegistry({
    behave: (call) => {
      const { response, request, path } = call
      if (path === '/token') {
        uses = 0
        if (isKnown(call, registry)) response.writeHead(200).end(JSON.stringify({ token: `token-${(given += 1)}` }))
        else response.writeHead(401).end('{"error":"who are you"}')
      } else if (request.headers.authorization === `Bearer token-${given}` && (uses += 1) <= lifetime) call.honest()
      else {
        const challenge = `Bearer realm="${realm(registry.host)}",service="x y",scope="repository:ns/m:pull a:b:pull"`
        response.writeHead(401, { 'www-authenticate': challenge }).end('no')
      }
    },
  })
  return registry
}
