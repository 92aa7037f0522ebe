import { jsonValue, type JsonValue } from './json.js'
import type { Message } from './message.js'
import type { CheckedTool } from './tool.js'
import type { ToolCall } from './tool-call.js'
import { wellFormed } from './well-formed.js'

/** What came of a call. */
export interface ToolOutcome {
  readonly call: ToolCall
  /** What the tool returned, as JSON holds it; absent if it failed. */
  readonly result?: JsonValue
  /** Why it failed, in the words that the model reads. */
  readonly error?: string
  /** What it threw, if that was the reason. */
  readonly cause?: unknown
}

/** What calls need to know. */
export interface ToolSetting {
  readonly tools: readonly CheckedTool[]
  readonly messages: readonly Message[]
  /** Ends all of them. */
  readonly signal: AbortSignal
}

/**
 * Runs a call. Nothing that goes wrong throws: a tool that does not exist, wrong arguments, an exception and a run that
 * takes too long are all told to the model, which may do better. Only the end of the whole generation rejects, with the
 * reason of the signal.
 */
export async function runTool(call: ToolCall, { tools, messages, signal }: ToolSetting): Promise<ToolOutcome> {
  const tool = tools.find(({ name }) => name === call.name)
  if (tool?.run === undefined) {
    const names = tools.map(({ name }) => name).join(', ')
    return { call, error: `There is no tool "${call.name}". There are: ${names}.` }
  }
  let given: unknown
  try {
    given = await tool.parameters.validate(JSON.stringify(call.arguments))
  } catch (cause) {
    return { call, error: `The arguments are wrong. ${messageOf(cause)}`, cause }
  }
  signal.throwIfAborted()
  const ending = endingSignal(signal, tool.timeoutMs)
  const { run } = tool
  try {
    const context = { signal: ending.signal, toolCallId: call.id, messages }
    const running = Promise.resolve().then(() => run(given as never, context))
    return { call, result: jsonValue(await untilAborted(running, ending.signal)) }
  } catch (cause) {
    signal.throwIfAborted()
    if (ending.signal.aborted) return { call, error: `It took longer than ${String(tool.timeoutMs)} ms.`, cause }
    return { call, error: messageOf(cause), cause }
  } finally {
    ending.release()
  }
}

/** Aborts with another signal, or after a time. */
function endingSignal(
  outer: AbortSignal,
  timeoutMs: number | undefined,
): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController()
  const abort = (): void => controller.abort(outer.reason)
  if (outer.aborted) abort()
  outer.addEventListener('abort', abort, { once: true })
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => controller.abort(), timeoutMs)
  return {
    signal: controller.signal,
    release() {
      outer.removeEventListener('abort', abort)
      clearTimeout(timer)
    },
  }
}

/** What the model reads of a call: text as it is, anything else as JSON. */
export function outcomeMessage({ call, result, error }: ToolOutcome): Message {
  const told = error === undefined ? (typeof result === 'string' ? result : JSON.stringify(result)) : `Error: ${error}`
  return { role: 'tool', content: wellFormed(told), toolCallId: call.id, toolName: call.name }
}

/** A tool that does not heed its signal is left to itself. */
function untilAborted<Value>(running: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason as Error)
    if (signal.aborted) aborted()
    signal.addEventListener('abort', aborted, { once: true })
    running.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
}

function messageOf(cause: unknown): string {
  if (cause instanceof Error) return cause.message
  return typeof cause === 'string' ? cause : 'it threw something that is no error'
}
