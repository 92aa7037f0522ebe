#pragma once

#include <llama.h>

#include <string>
#include <utility>
#include <vector>

#include "metadata_override.h"

namespace llamero {

/// How much each column of a model's matrices matters, measured on a text; weights that matter are kept more exactly.
class Imatrix {
 public:
  /// Reads a GGUF file. REQUIRES: judged before. Throws Failure: ERR_MODEL_INVALID.
  Imatrix(const std::string& path, const std::string& name);

  /// For llama_model_quantize, valid while this lives.
  const llama_model_imatrix_data* entries() const { return entries_.data(); }
  /// What the target's metadata says of it, as llama-quantize writes it; without the end of a list.
  const MetadataOverrides& metadata() const { return metadata_; }

 private:
  std::vector<std::pair<std::string, std::vector<float>>> columns_;
  std::vector<llama_model_imatrix_data> entries_;
  MetadataOverrides metadata_;
};

}  // namespace llamero
