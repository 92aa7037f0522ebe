/** The part of the engine's counters that is about kept prefixes. */
export interface NativeCacheStats {
  /** Prefixes that gave way in the cells. */
  readonly evictions: number
  /** Requests that started from cells. */
  readonly cellHits: number
  /** Requests that started at a checkpoint. */
  readonly checkpointHits: number
  /** Requests that started from a snapshot in main memory. */
  readonly memoryHits: number
  /** Snapshots and checkpoints made. */
  readonly snapshotsSaved: number
  /** Snapshots and checkpoints that left main memory for others. */
  readonly snapshotsDropped: number
  /** Snapshots and checkpoints in main memory now. */
  readonly snapshots: number
  /** Their bytes. */
  readonly snapshotBytes: number
}
