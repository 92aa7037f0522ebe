/**
 * Every error code that llamero throws: the sentence it opens with and the HTTP status that the server answers with.
 *
 * Three kinds are kept apart: a caller's mistake or an outside failure has its own code, a defect of llamero itself is
 * `ERR_INTERNAL`, and an expected end of a generation is no error but a `finishReason`.
 */
export const errorCodes = {
  /** No such model under that name, or no such file. */
  ERR_MODEL_NOT_FOUND: { status: 404, sentence: 'The model was not found.' },
  /** The file is not a GGUF model that can be loaded: damaged, truncated, hostile or of an unsupported kind. */
  ERR_MODEL_INVALID: { status: 422, sentence: 'The model file is not valid.' },
  /** The file is well formed, but llama.cpp refused it or died on it in the probe. */
  ERR_MODEL_REJECTED: { status: 422, sentence: 'The model could not be loaded.' },
  /** A reference such as `host/namespace/model:tag` does not follow the grammar. */
  ERR_NAME_INVALID: { status: 400, sentence: 'The model name is not valid.' },
  /** A Modelfile is malformed, or an instruction in it has a name or value that does not exist. */
  ERR_MODELFILE_INVALID: { status: 400, sentence: 'The Modelfile is not valid.' },
  /** An option, argument or message has the wrong type, unit or range. */
  ERR_OPTION_INVALID: { status: 400, sentence: 'An option is not valid.' },
  /** A token id lies outside the vocabulary. */
  ERR_TOKEN_INVALID: { status: 400, sentence: 'A token id is not valid.' },
  /** The chat template could not be parsed or rendered. */
  ERR_TEMPLATE: { status: 400, sentence: 'The chat template failed.' },
  /** An image or audio file is damaged, too large, or of a format that is not read. */
  ERR_MEDIA_INVALID: { status: 400, sentence: 'The image or audio is not valid.' },
  /** The GBNF grammar is malformed or exceeds its limits. */
  ERR_GRAMMAR: { status: 400, sentence: 'The grammar is not valid.' },
  /** A schema for structured output is malformed, exceeds its limits or can't be followed. */
  ERR_SCHEMA_UNSUPPORTED: { status: 400, sentence: 'The schema is not supported.' },
  /** An answer does not meet its schema; `details.text` has it. */
  ERR_OUTPUT_INVALID: { status: 422, sentence: 'The answer does not meet the schema.' },
  /** Weights, KV cache or buffers do not fit into memory. */
  ERR_OUT_OF_MEMORY: { status: 507, sentence: 'There is not enough memory.' },
  /** The prompt is longer than the context. */
  ERR_CONTEXT_FULL: { status: 400, sentence: 'The prompt does not fit into the context.' },
  /** The session is answering already. */
  ERR_SESSION_BUSY: { status: 409, sentence: 'The session is busy.' },
  /** More requests wait than the queue holds. */
  ERR_QUEUE_FULL: { status: 503, sentence: 'Too many requests are waiting.' },
  /** A saved session was made by another model, build or setting, or is damaged. */
  ERR_STATE_MISMATCH: { status: 409, sentence: 'The saved state does not fit.' },
  /** A deadline passed. */
  ERR_TIMEOUT: { status: 504, sentence: 'The operation took too long.' },
  /** The model, session or runtime was closed. */
  ERR_DISPOSED: { status: 409, sentence: 'The object was closed.' },
  /** The caller cancelled a load or download. */
  ERR_CANCELLED: { status: 499, sentence: 'The operation was cancelled.' },
  /** The build, the machine or the model lacks what was asked for. */
  ERR_UNSUPPORTED: { status: 501, sentence: 'This is not supported.' },
  /** The native addon is missing or does not load. */
  ERR_NATIVE_MISSING: { status: 500, sentence: 'The native addon could not be loaded.' },
  /** A digest is malformed, or bytes do not match it. */
  ERR_DIGEST: { status: 422, sentence: 'The digest does not match.' },
  /** A manifest or store file cannot be read as what it should be. */
  ERR_MANIFEST_INVALID: { status: 422, sentence: 'The manifest is not valid.' },
  /** A file of exported models is damaged, cut off, hostile or of another kind. */
  ERR_ARCHIVE_INVALID: { status: 422, sentence: 'The archive is not valid.' },
  /** A file could not be read or written. */
  ERR_STORE: { status: 500, sentence: 'The model store could not be read or written.' },
  /** The disk has no room left. */
  ERR_DISK_FULL: { status: 507, sentence: 'The disk is full.' },
  /** A registry, package index or server answered badly or cannot be reached. */
  ERR_REGISTRY: { status: 502, sentence: 'The source of the model could not be read.' },
  /** The engine's compute failed or its process died. */
  ERR_ENGINE_CRASHED: { status: 500, sentence: 'The engine failed.' },
  /** A defect of llamero. */
  ERR_INTERNAL: { status: 500, sentence: 'Something went wrong inside llamero; please report it.' },
} as const satisfies Record<`ERR_${string}`, { status: number; sentence: string }>

/** One of the codes of {@link errorCodes}. */
export type ErrorCode = keyof typeof errorCodes

/** What an error carries beside its message. */
export interface LlameroErrorOptions {
  /** The error underneath, if any. */
  readonly cause?: unknown
  /** Facts for programs, such as `{ option: 'topP', expected: '0 to 1' }`; never a path outside the caller's own input. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** The only class of error that llamero throws. Switch on `code`, show `message`. */
export class LlameroError extends Error {
  /** Stable and machine-readable; see {@link errorCodes}. */
  readonly code: ErrorCode
  /** The HTTP status that the server routes answer with. */
  readonly status: number
  /** Facts for programs; empty if there are none. */
  readonly details: Readonly<Record<string, unknown>>

  /**
   * @param code one of {@link errorCodes}
   * @param message what was expected, what was found and what to do; defaults to the code's own sentence
   */
  constructor(code: ErrorCode, message?: string, options: LlameroErrorOptions = {}) {
    super(message ?? errorCodes[code].sentence, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'LlameroError'
    this.code = code
    this.status = errorCodes[code].status
    this.details = options.details ?? {}
  }
}
