/** Instructions whose value is one text. */
export const textInstructions = [
  'from',
  'license',
  'template',
  'system',
  'adapter',
  'draft',
  'renderer',
  'parser',
  'requires',
] as const

/** An instruction whose value is one text: `FROM`, `LICENSE`, `TEMPLATE`, `SYSTEM`, `ADAPTER`, `DRAFT` and others. */
export interface TextInstruction {
  /** The instruction word, in lower case. */
  readonly type: (typeof textInstructions)[number]
  /** Without the quotes; may be empty. */
  readonly value: string
}

/** `PARAMETER name value`, as it is written: {@link readRecipe} checks the name and reads the value. */
export interface ParameterInstruction {
  readonly type: 'parameter'
  /** ASCII letters, digits and `_`. */
  readonly name: string
  /** Without the quotes; may be empty. */
  readonly value: string
}

/** Who speaks in a `MESSAGE`. */
export const messageRoles = ['system', 'user', 'assistant'] as const

/** `MESSAGE role content`: a part of the history that every chat with the model begins with. */
export interface MessageInstruction {
  readonly type: 'message'
  readonly role: (typeof messageRoles)[number]
  /** Without the quotes; may be empty. */
  readonly content: string
}

/** One instruction of a Modelfile. */
export type Instruction = TextInstruction | ParameterInstruction | MessageInstruction

/** A place in a Modelfile. */
export interface Position {
  /** From 1; LF, CR and CRLF each end a line. */
  readonly line: number
  /** In characters (code points), from 1. */
  readonly column: number
}

/** An instruction with the place where its word begins. */
export type ParsedInstruction = Instruction & Position
