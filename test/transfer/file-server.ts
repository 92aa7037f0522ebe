import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a request asked for, and how the server would answer if it were honest. */
export interface Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly path: string
  /** First byte. */
  readonly start: number
  /** Behind the last byte. */
  readonly end: number
  /** Counted from 0. */
  readonly turn: number
  readonly file: Buffer
  honest(): void
}

export interface FileServer extends AsyncDisposable {
  readonly url: URL
  readonly asked: {
    readonly path: string
    readonly range: string | undefined
    readonly headers: IncomingMessage['headers']
  }[]
  /** Bytes of bodies sent. */
  readonly sentBytes: number
}

/** Serves files on the loopback device, with ranges, unless a test has it behave otherwise. */
export async function serveFiles(
  files: Readonly<Record<string, Buffer>>,
  behave?: (asked: Asked) => void,
): Promise<FileServer> {
  const asked: FileServer['asked'] = []
  let sentBytes = 0
  const server = createServer((request, response) => {
    const path = request.url ?? '/'
    const file = files[path.split('?')[0] ?? ''] ?? Buffer.alloc(0)
    const { start, end } = parseRange(request.headers.range, file.length)
    const write = response.write.bind(response)
    response.write = ((chunk: Uint8Array, ...rest: never[]) => {
      sentBytes += chunk.length
      return write(chunk, ...rest)
    }) as typeof response.write
    const honest = () => {
      if (start >= file.length && file.length > 0) {
        response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end()
        return
      }
      const body = file.subarray(start, end)
      if (request.headers.range === undefined) response.writeHead(200, { 'content-length': body.length })
      else
        response.writeHead(206, {
          'content-length': body.length,
          'content-range': `bytes ${start}-${end - 1}/${file.length}`,
        })
      response.write(body)
      response.end()
    }
    asked.push({ path, range: request.headers.range, headers: request.headers })
    const what = { request, response, path, start, end, turn: asked.length - 1, file, honest }
    if (behave === undefined) honest()
    else behave(what)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    asked,
    get sentBytes() {
      return sentBytes
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function parseRange(range: string | undefined, size: number): { start: number; end: number } {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? []
  if (first === '' && last === '') return { start: 0, end: size }
  if (first === '') return { start: Math.max(0, size - Number(last)), end: size }
  return { start: Number(first), end: last === '' ? size : Math.min(size, Number(last) + 1) }
}
