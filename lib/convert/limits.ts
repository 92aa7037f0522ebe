/** How much a folder may claim before it is refused. */
export const limits = {
  /** Of one JSON document; the tokenizers of large vocabularies have some 35 MB. */
  jsonBytes: 128 * 1024 * 1024,
  /** Objects and arrays within one another; real files have fewer than 12. */
  jsonDepth: 64,
  /** The bound of the safetensors library itself. */
  headerBytes: 100_000_000,
  /** Of a chat template or a SentencePiece model. */
  textBytes: 16 * 1024 * 1024,
  /** Tensors of all files, and files of one model. */
  sourceTensors: 262_144,
  shards: 4096,
  dimensions: 8,
  /** Of a vocabulary. */
  tokens: 4 * 1024 * 1024,
  /** A tensor is read and written in pieces of about this size, or of one row if that is longer. */
  chunkBytes: 4 * 1024 * 1024,
  rowBytes: 64 * 1024 * 1024,
} as const
