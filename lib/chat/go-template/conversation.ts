/** A call of a tool that the model made. */
export interface GoToolCall {
  readonly id?: string | undefined
  readonly name: string
  /** Values as of JSON. */
  readonly arguments: Readonly<Record<string, unknown>>
}

/** A message as Go templates see it. */
export interface GoMessage {
  /** `system`, `user`, `assistant`, `tool`, or what else a template may know. */
  readonly role: string
  /** The text; it can hold any characters, and special tokens in it stay plain text. */
  readonly content: string
  /** What the model thought before it answered. @default none */
  readonly thinking?: string | undefined
  /** @default none */
  readonly toolCalls?: readonly GoToolCall[] | undefined
  /** Of a result: the tool that it comes from. @default none */
  readonly toolName?: string | undefined
  /** Of a result: the call that it answers. @default none */
  readonly toolCallId?: string | undefined
  /** Number of images; templates can only count them. @default 0 */
  readonly images?: number | undefined
}

/** A tool that the model may call. */
export interface GoTool {
  /** @default 'function' */
  readonly type?: string | undefined
  readonly function: {
    readonly name: string
    readonly description?: string | undefined
    /** A JSON schema of an object. @default none */
    readonly parameters?: Readonly<Record<string, unknown>> | undefined
  }
}

/** What a Go template makes a prompt of. */
export interface GoConversation {
  /** @default none */
  readonly messages?: readonly GoMessage[] | undefined
  /** @default none */
  readonly tools?: readonly GoTool[] | undefined
  /** The text before a gap; counts with a `suffix` only. @default none */
  readonly prompt?: string | undefined
  /** The text behind a gap. @default none */
  readonly suffix?: string | undefined
  /** Whether to think, or how much, such as `low`. @default left to the template */
  readonly think?: boolean | string | undefined
  /** What `currentDate` goes by. @default now */
  readonly now?: Date | undefined
}
