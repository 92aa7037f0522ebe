import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { serveFiles, type Asked, type FileServer } from './file-server.js'

/** Packs files as npm does: behind one folder. */
export async function tarball(files: Readonly<Record<string, Buffer>>): Promise<Buffer> {
  const archive = pack()
  for (const [name, bytes] of Object.entries(files)) archive.entry({ name: `package/${name}` }, bytes)
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)
  return gzipSync(Buffer.concat(chunks), { level: 1 })
}

export interface NpmRegistryScript {
  /** Tarballs by `name@version`; the last version of a name is its newest. */
  readonly packages: Readonly<Record<string, Buffer>>
  /** The integrity to state in place of the true one. */
  readonly integrity?: string | undefined
  /** Takes over the answers to requests for tarballs. */
  readonly behave?: ((asked: Asked) => void) | undefined
  /** The host that the registry says its tarballs lie on. @default where they do lie */
  readonly statedHost?: string | undefined
}

export interface NpmRegistry extends AsyncDisposable {
  readonly url: string
  /** The server of the tarballs. */
  readonly tarballs: FileServer
}

/** A package registry on the loopback device, for the real npm. */
export async function serveNpmRegistry(script: NpmRegistryScript): Promise<NpmRegistry> {
  const paths = Object.entries(script.packages).map(([key, bytes]) => [`/${key}.tgz`, bytes] as const)
  const tarballs = await serveFiles(Object.fromEntries(paths), script.behave)
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/')
    if (path.endsWith('.tgz')) {
      // npm itself, or we in the place of a host that the public registry has.
      response.writeHead(302, { location: new URL(path, tarballs.url).href }).end()
      return
    }
    const name = path.slice(1)
    const found = Object.entries(script.packages).filter(([key]) => key.slice(0, key.lastIndexOf('@')) === name)
    if (found.length === 0) {
      response.writeHead(404).end('{}')
      return
    }
    const versions = found.map(([key, bytes]) => {
      const version = key.slice(key.lastIndexOf('@') + 1)
      const hash = (algorithm: string) => createHash(algorithm).update(bytes)
      const integrity = script.integrity ?? `sha512-${hash('sha512').digest('base64')}`
      const address = new URL(`/${key}.tgz`, script.statedHost ?? tarballs.url).href
      const dist = { tarball: address, integrity, shasum: hash('sha1').digest('hex') }
      return [version, { name, version, dist }] as const
    })
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({ name, 'dist-tags': { latest: versions.at(-1)?.[0] }, versions: Object.fromEntries(versions) }),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    tarballs,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await tarballs[Symbol.asyncDispose]()
    },
  }
}
