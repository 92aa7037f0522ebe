import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { digestOf } from '../../lib/store/index.js'
import { serveFiles, type Asked, type FileServer } from './file-server.js'

export interface HubScript {
  /** Files of the repository `org/repo`. */
  readonly files: Readonly<Record<string, Buffer>>
  /** Who may have the files. */
  readonly token?: string
  /** The list of files needs the token too, as that of a private repository. */
  readonly isPrivate?: boolean
  /** The token is good, but its owner has not accepted the terms. */
  readonly isGated?: boolean
  /** Files in one answer. @default all */
  readonly pageSize?: number
  /** Files that are not kept in LFS. */
  readonly plainFiles?: readonly string[]
  /** Takes over an answer of the hub itself; true if it did. */
  readonly behave?: (request: IncomingMessage, response: ServerResponse, turn: number) => boolean
  /** Takes over the answers of the storage. */
  readonly storage?: (asked: Asked) => void
}

export interface ScriptedHub extends AsyncDisposable {
  readonly endpoint: string
  /** Requests to the hub itself. */
  readonly asked: { readonly path: string; readonly authorization: string | undefined }[]
  /** Where files lie: another host. */
  readonly storage: FileServer
}

/** Behaves as the hub's public interface does: lists of files in pages, and files by redirect to a storage elsewhere. */
export async function serveHub(script: HubScript): Promise<ScriptedHub> {
  const { files, token, isPrivate = false, isGated = false, plainFiles = [] } = script
  const hashes = new Map(Object.entries(files).map(([path, bytes]) => [path, digestOf(bytes).slice(7)]))
  const stored = Object.entries(files).map(([path, bytes]) => [`/xet/${hashes.get(path) ?? ''}`, bytes])
  const storage = await serveFiles(Object.fromEntries(stored) as Record<string, Buffer>, script.storage)
  const asked: ScriptedHub['asked'] = []

  const list = (address: URL, response: ServerResponse) => {
    const entries = Object.entries(files).map(([path, bytes]) => ({
      type: 'file',
      path,
      size: bytes.length,
      oid: '0'.repeat(40),
      ...(!plainFiles.includes(path) && { lfs: { oid: hashes.get(path), size: bytes.length, pointerSize: 134 } }),
    }))
    const { pageSize = entries.length } = script
    const from = Number(address.searchParams.get('cursor') ?? 0)
    const next = from + pageSize
    if (next < entries.length)
      response.setHeader('link', `<https://hub.example${address.pathname}?recursive=true&cursor=${next}>; rel="next"`)
    response.end(JSON.stringify([{ type: 'directory', path: 'dir', size: 0 }, ...entries.slice(from, next)]))
  }
  const server = createServer((request, response) => {
    const address = new URL(request.url ?? '/', 'http://hub')
    const { authorization } = request.headers
    asked.push({ path: address.pathname, authorization })
    if (script.behave?.(request, response, asked.length - 1) === true) return
    const isList = address.pathname === '/api/models/org/repo/tree/main'
    const path = decodeURIComponent(address.pathname.replace(/^\/org\/repo\/resolve\/main\//, ''))
    const isKnown = authorization === `Bearer ${token}`
    const refuse = (status: number, code: string) => {
      response.writeHead(status, { 'x-error-code': code }).end(JSON.stringify({ error: code }))
    }
    if (token !== undefined && !isKnown && (!isList || isPrivate)) refuse(401, isPrivate ? 'RepoNotFound' : 'GatedRepo')
    else if (isGated && !isList) refuse(403, 'GatedRepo')
    else if (isList) list(address, response)
    else if (files[path] === undefined) refuse(404, 'EntryNotFound')
    else {
      const hash = hashes.get(path) ?? ''
      const location = `http://localhost:${storage.url.port}/xet/${hash}?X-Signature=s`
      response.writeHead(302, { location, 'x-linked-etag': `"${hash}"`, 'x-linked-size': files[path].length }).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    storage,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await storage[Symbol.asyncDispose]()
    },
  }
}
