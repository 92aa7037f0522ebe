/** What a model's projector has encoded since it was opened. */
export interface MediaMetrics {
  /** Images and audio that went through the encoder. */
  readonly encoded: number
  /** Those that were encoded already. */
  readonly reused: number
  /** Time for decoding files and encoding, summed, in ms. */
  readonly encodeMs: number
  /** Encoded ones that are kept for the next time. */
  readonly cached: number
  /** Main memory that they take, at most 256 MiB. */
  readonly cachedBytes: number
}

/** Counters of a model's engine since it was opened, and its state now. */
export interface ModelMetrics {
  /** Decodes of llama.cpp. */
  readonly steps: number
  /** Tokens of prompts computed. */
  readonly promptTokens: number
  /** Tokens of answers. */
  readonly outputTokens: number
  /** Tokens that speculation proposed. */
  readonly draftTokens: number
  /** Those of them that became part of an answer. */
  readonly acceptedTokens: number
  /** Decodes of the draft model, or in which a trained head proposed; they do not count as steps. */
  readonly draftModelSteps: number
  /** Time in them, summed, in ms. */
  readonly draftModelMs: number
  /** Requests that are computed now. */
  readonly running: number
  /** Requests that wait for a place. */
  readonly waiting: number
  /** Requests that stand still because nobody reads them. */
  readonly parked: number
  /** How often a request lost its cells to others and had to start over. */
  readonly preemptions: number
  /** Cells of the KV cache that running requests use. */
  readonly cellsUsed: number
  /** Cells that hold the beginnings of ended requests, for others to start from. */
  readonly cellsCached: number
  /** Tokens of prompts that were not computed, because they lay in the cache. */
  readonly cachedTokens: number
  /** How often such a beginning gave way in the cells; it may have gone to main memory. */
  readonly evictions: number
  /** Requests that started from cells of the KV cache. */
  readonly cellHits: number
  /** Requests that started at a checkpoint: only models with recurrent layers or sliding windows need these. */
  readonly checkpointHits: number
  /** Requests whose beginning was copied back from main memory. */
  readonly memoryHits: number
  /** Beginnings that were read from `cacheDirectory`. */
  readonly diskHits: number
  /** Files there that this engine knows of and could use: those of this model that lay there, or that it wrote. */
  readonly diskFiles: number
  /** Their bytes. */
  readonly diskBytes: number
  /** Copies made in main memory: beginnings that gave way, and checkpoints. */
  readonly snapshotsSaved: number
  /** Copies that left main memory, because others took the place. */
  readonly snapshotsDropped: number
  /** Copies that lie in main memory. */
  readonly snapshots: number
  /** Main memory that they take, at most `cacheBytes`. */
  readonly snapshotBytes: number
  /** Threads of the last step. */
  readonly threads: number
  /** Time between the end of one decode and the start of the next, summed, in ms: what llamero adds to llama.cpp. */
  readonly betweenDecodesMs: number
  /** Time in decodes, summed, in ms. */
  readonly decodeMs: number
  /** Calls from the engine into JavaScript. */
  readonly deliveries: number
  /** Images and audio; all 0 for a model without a projector. */
  readonly media: MediaMetrics
}
