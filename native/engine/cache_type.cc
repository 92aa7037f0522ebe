#include "engine/cache_type.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "failure.h"

namespace llamero {
namespace {

std::string Metadata(const llama_model* model, const std::string& key) {
  char value[64];
  return llama_model_meta_val_str(model, key.c_str(), value, sizeof value) < 0 ? "" : value;
}

}  // namespace

void RequireWholeBlocks(const llama_model* model, ggml_type key) {
  const int64_t block = ggml_blck_size(key);
  const std::string prefix = Metadata(model, "general.architecture") + ".attention.key_length";
  const int64_t even = int64_t{llama_model_n_embd(model)} / std::max(1, llama_model_n_head(model));
  for (const char* layers : {"", "_swa"}) {
    const std::string given = Metadata(model, prefix + layers);
    const int64_t width = given.empty() ? even : std::atoll(given.c_str());
    if (width % block == 0) continue;
    throw Failure("ERR_UNSUPPORTED", std::string("The heads of this model are ") + std::to_string(width) +
                                         " numbers wide, but keys of the type " + ggml_type_name(key) +
                                         " are stored in blocks of " + std::to_string(block) +
                                         "; choose f16, bf16 or f32.");
  }
}

}  // namespace llamero
