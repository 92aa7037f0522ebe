import type { NativeScaledAdapter } from './native-types.js'

/** Where an engine keeps the prefixes that main memory has no room for. */
export interface NativeCacheFiles {
  /** Exists. */
  readonly directory: string
  /** Of all files in it. */
  readonly bytes: number
  /** What the engine's states are computed by; files of others are of no use to it. */
  readonly fingerprint: string
}

/** Who shares prefixes: requests of one key that are computed with the same adapters. */
export interface NativeCacheRoot {
  readonly cacheKey: string
  /** Each at most once; those of scale 0 count as absent. */
  readonly adapters: readonly NativeScaledAdapter[]
}

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
  /** Snapshots that came back from disk. */
  readonly diskHits: number
  /** Files on disk that are known now. */
  readonly diskFiles: number
  /** Their bytes. */
  readonly diskBytes: number
  /** Snapshots and checkpoints made. */
  readonly snapshotsSaved: number
  /** Snapshots and checkpoints that left main memory for others. */
  readonly snapshotsDropped: number
  /** Snapshots and checkpoints in main memory now. */
  readonly snapshots: number
  /** Their bytes. */
  readonly snapshotBytes: number
}
