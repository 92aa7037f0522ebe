#include "memory_need.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "failure.h"

namespace llamero {
namespace {

constexpr int64_t kSingle = 4;
constexpr int64_t kHalf = 2;

/// Of the metadata of the model's architecture; `otherwise` where it has no such number.
int64_t MetadataNumber(const llama_model* model, const std::string& key, int64_t otherwise) {
  char architecture[128];
  if (llama_model_meta_val_str(model, "general.architecture", architecture, sizeof architecture) < 0) return otherwise;
  char text[32];
  if (llama_model_meta_val_str(model, (std::string(architecture) + "." + key).c_str(), text, sizeof text) < 0) {
    return otherwise;
  }
  const int64_t number = std::strtoll(text, nullptr, 10);
  return number > 0 ? number : otherwise;
}

int64_t BytesOf(ggml_type type, int64_t elements) {
  return elements * static_cast<int64_t>(ggml_type_size(type)) / ggml_blck_size(type);
}

int64_t StateBytes(const llama_model* model) {
  const int64_t inner = MetadataNumber(model, "ssm.inner_size", 0);
  const int64_t state = MetadataNumber(model, "ssm.state_size", 0);
  const int64_t kernel = MetadataNumber(model, "ssm.conv_kernel", 1);
  const int64_t groups = MetadataNumber(model, "ssm.group_count", 0);
  return llama_model_n_layer(model) * kSingle * ((kernel - 1) * (inner + 2 * groups * state) + state * inner);
}

}  // namespace

ggml_type KvType(const std::string& name) {
  for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0, GGML_TYPE_Q5_1,
                               GGML_TYPE_Q5_0, GGML_TYPE_Q4_1, GGML_TYPE_Q4_0, GGML_TYPE_IQ4_NL}) {
    if (name == ggml_type_name(type)) return type;
  }
  throw Failure("ERR_OPTION_INVALID", "The KV cache can't be of type '" + name + "'.");
}

MemoryNeed NeedOf(const Model& loaded, const ContextOptions& options) {
  const llama_model* model = loaded.get();
  const int64_t heads = std::max(1, llama_model_n_head(model));
  const int64_t kv_heads = std::max(1, llama_model_n_head_kv(model));
  const int64_t width = llama_model_n_embd(model);
  const int64_t keys = kv_heads * MetadataNumber(model, "attention.key_length", width / heads);
  const int64_t values = kv_heads * MetadataNumber(model, "attention.value_length", width / heads);
  const int64_t inner = MetadataNumber(model, "feed_forward_length", 4 * width);
  const int64_t rows = options.micro_batch_size;
  const bool attends = !llama_model_is_recurrent(model);
  const int64_t cell = BytesOf(KvType(options.key_type), keys) + BytesOf(KvType(options.value_type), values);
  const int64_t logits = OutputRows(options) * loaded.vocabulary_size();
  return {.weights = static_cast<int64_t>(llama_model_size(model)),
          .per_cell = attends ? llama_model_n_layer(model) * cell : 0,
          .per_sequence = StateBytes(model),
          .buffers = kSingle * (rows * (2 * inner + 6 * width) + 2 * logits),
          .buffers_per_cell = rows * (kHalf + (options.flash_attention == "off" ? kSingle * heads : 0)),
          .gpu_share = loaded.gpu_share()};
}

}  // namespace llamero
