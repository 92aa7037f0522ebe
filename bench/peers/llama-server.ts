import { startPeerServer } from '../../test/support/peer-server.js'
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

export async function startLlamaServer(options: LlamaServerOptions): Promise<LlamaServer> {
  const { modelPath, slots, cells, unified } = options
  const layout = [unified ? '--kv-unified' : '--no-kv-unified', '-np', String(slots), '-c', String(cells)]
  const args = ['-m', modelPath, ...llamaCppArguments, ...layout]
  const server = await startPeerServer(args, await findTool('llama-server'))
  return {
    description: `llama-server ${[...llamaCppArguments, ...layout].join(' ')}, streamed over HTTP, measured at the client`,
    stream: (request) => stream(server.base, request),
    close: () => server.close(),
  }
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
