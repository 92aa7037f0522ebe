import { spawn } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import { sleep } from '../measure.js'
import { end } from './end.js'
import { llamaCppArguments } from './llama-cpp.js'
import { findTool } from './tool.js'

export interface LlamaServerOptions {
  readonly modelPath: string
  /** Requests that run at once. */
  readonly slots: number
  /** Tokens of all slots together. */
  readonly cells: number
  /** One cache for all slots, as llamero's, or one of equal size for each. */
  readonly unified: boolean
}

export interface ServerRequest {
  readonly prompt: Int32Array
  readonly maxTokens: number
  /** What the answer is held to. */
  readonly jsonSchema?: object | undefined
}

/** When what of one streamed answer reached the client, in ms after the request was sent. */
export interface ServerTiming {
  readonly firstMs: number
  readonly endedMs: number
  readonly tokens: number
}

/** llama.cpp's own server in a process of its own, reached over loopback. */
export interface LlamaServer {
  readonly description: string
  stream(request: ServerRequest): Promise<ServerTiming>
  close(): Promise<void>
}

const startMs = 60_000

export async function startLlamaServer(options: LlamaServerOptions): Promise<LlamaServer> {
  const { modelPath, slots, cells, unified } = options
  const tool = await findTool('llama-server')
  const port = await freePort()
  const layout = [unified ? '--kv-unified' : '--no-kv-unified', '-np', String(slots), '-c', String(cells)]
  const quiet = ['--no-ui', '--log-disable', '--host', '127.0.0.1', '--port', String(port)]
  const child = spawn(tool, ['-m', modelPath, ...llamaCppArguments, ...layout, ...quiet], { stdio: 'ignore' })
  const base = `http://127.0.0.1:${port}`
  const close = (): Promise<void> => end(child, 'SIGKILL')
  try {
    await answers(`${base}/health`, () => child.exitCode !== null)
  } catch (error) {
    await close()
    throw error
  }
  return {
    description: `llama-server ${[...llamaCppArguments, ...layout].join(' ')}, streamed over HTTP, measured at the client`,
    stream: (request) => stream(base, request),
    close,
  }
}

async function answers(url: string, gone: () => boolean): Promise<void> {
  const deadline = performance.now() + startMs
  while (performance.now() < deadline) {
    if (gone()) throw new Error('llama-server ended while it started.')
    const ready = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    )
    if (ready) return
    await sleep(50)
  }
  throw new Error(`llama-server was not ready within ${startMs} ms.`)
}

async function stream(base: string, { prompt, maxTokens, jsonSchema }: ServerRequest): Promise<ServerTiming> {
  const body = JSON.stringify({
    prompt: [...prompt],
    n_predict: maxTokens,
    temperature: 0,
    samplers: ['temperature'],
    ignore_eos: true,
    cache_prompt: true,
    stream: true,
    json_schema: jsonSchema,
  })
  const startedAt = performance.now()
  const response = await fetch(`${base}/completion`, {
    method: 'POST',
    body,
    // A connection that is kept may be closed by the server just when the next request goes out.
    headers: { 'content-type': 'application/json', connection: 'close' },
  })
  if (!response.ok || response.body === null) throw new Error(`llama-server answered ${response.status}.`)
  let firstMs = 0
  let rest = ''
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    rest += chunk
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('data: ')) continue
      if (firstMs === 0) firstMs = performance.now() - startedAt
      const event = JSON.parse(line.slice('data: '.length)) as { stop?: boolean; tokens_predicted?: number }
      if (event.stop !== true) continue
      if (event.tokens_predicted !== maxTokens) {
        throw new Error(`llama-server gave ${event.tokens_predicted} tokens, ${maxTokens} were expected.`)
      }
      return { firstMs, endedMs: performance.now() - startedAt, tokens: maxTokens }
    }
  }
  throw new Error('llama-server ended a stream without its last line.')
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => {
        resolve(port)
      })
    })
  })
}
