#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>

#include "metadata_override.h"

namespace llamero {

struct QuantizeOptions {
  /// The file, or the first part of a split one; its parts lie beside it. REQUIRES: judged before.
  std::string source;
  /// Written anew; removed again if anything fails.
  std::string target;
  /// A `llama_ftype`.
  int file_type = 0;
  /// Leave tensors as they are and only join the parts; `file_type` does not count.
  bool copy = false;
  bool allow_requantize = false;
  /// A GGUF file with an importance matrix; '' for none. REQUIRES: judged before.
  std::string imatrix;
  /// How it is called in the metadata of the target.
  std::string imatrix_name;
  int threads = 1;
  /// What the source's metadata should say and the target's will; without the end of a list.
  MetadataOverrides metadata_overrides;
};

/// Told the fraction that is done, 0 to 1, on the calling thread.
using QuantizeProgress = std::function<void(float)>;

/// Converts the tensors of a model file. Takes as long as it takes: minutes for a large model; `cancelled` ends it within
/// the time of one piece of a tensor, some 2 million weights.
/// Throws Failure: ERR_CANCELLED, ERR_DISK_FULL, ERR_STORE, ERR_MODEL_REJECTED with llama.cpp's reason.
void Quantize(const QuantizeOptions& options, const QuantizeProgress& progress, const std::atomic<bool>& cancelled);

}  // namespace llamero
