import type {
  Addon,
  NativeCacheRoot,
  NativeCancelFlag,
  NativeChatInput,
  NativeEngine,
  NativeEngineOptions,
  NativeFinish,
  NativeModel,
  NativeNews,
  NativeRequest,
} from '../../lib/native-types.js'

export class CodedError extends Error {
  readonly code: string
  constructor(code: string, message: string)
}

export function bareAddon(directory: string): Addon

export function loadModel(addon: Addon, path: string, flag?: NativeCancelFlag): Promise<NativeModel>

export function createEngine(
  addon: Addon,
  model: NativeModel,
  options?: Partial<NativeEngineOptions>,
  onNews?: (news: NativeNews[]) => void,
  draftModel?: NativeModel,
): Promise<NativeEngine>

export const noRoot: NativeCacheRoot

export function requestFor(tokens: Iterable<number>, options?: Partial<NativeRequest>): NativeRequest

export function chatInput(options?: Partial<NativeChatInput>): NativeChatInput

export function tokenize(addon: Addon, model: NativeModel, text: string): Promise<Int32Array>

export class Inbox {
  /** Tokens told of so far, by request. */
  readonly tokens: ReadonlyMap<number, number>
  /** Requests in each call, in order. */
  readonly calls: readonly number[]
  readonly take: (news: NativeNews[]) => void
  text(id: number): string
  /** Prompt tokens said to be computed, in order, of a request that asked for its progress. */
  progress(id: number): readonly number[]
  finish(id: number): NativeFinish | undefined
  /** Resolves with the text once the request has ended. */
  ended(id: number): Promise<string>
  /** Resolves once the request has told so many tokens (1 unless given) or has ended. */
  begun(id: number, tokens?: number): Promise<string>
}
