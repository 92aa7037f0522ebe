/**
 * How much a GGUF header may claim before it is refused. llama.cpp's own bounds are looser (1 GiB strings, 2^30 array
 * elements) and its search for duplicates is quadratic, so these keep a hostile file cheap.
 */
export const limits = {
  /** Bytes before the tensor data. */
  headerBytes: 256 * 1024 * 1024,
  keys: 8192,
  tensors: 16_384,
  keyBytes: 65_535,
  stringBytes: 16 * 1024 * 1024,
  arrayElements: 64 * 1024 * 1024,
  /** ggml keeps 64 bytes for a name, the last of them zero. */
  tensorNameBytes: 63,
  dimensions: 4,
  alignment: { least: 8, most: 1024 * 1024, default: 32 },
  /** `LLAMA_MAX_LAYERS` and `LLAMA_MAX_EXPERTS` of llama.cpp: sizes of fixed arrays. */
  layers: 512,
  experts: 1024,
} as const

/** Elements and bytes of a tensor are signed 64-bit numbers in ggml. */
export const mostTensorSize = 2n ** 63n - 1n
