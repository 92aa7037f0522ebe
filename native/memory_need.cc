#include "memory_need.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "failure.h"

namespace llamero {
namespace {

constexpr double kSingle = 4;
constexpr double kHalf = 2;

/// Of the metadata of the model's architecture; `otherwise` where it has no such number.
double MetadataNumber(const llama_model* model, const std::string& key, double otherwise) {
  char architecture[128];
  if (llama_model_meta_val_str(model, "general.architecture", architecture, sizeof architecture) < 0) return otherwise;
  char text[32];
  if (llama_model_meta_val_str(model, (std::string(architecture) + "." + key).c_str(), text, sizeof text) < 0) {
    return otherwise;
  }
  const int64_t number = std::strtoll(text, nullptr, 10);
  return number > 0 ? static_cast<double>(number) : otherwise;
}

/// The file's numbers may be anything, and so may their products: these are computed in floating point.
int64_t Bytes(double bytes) {
  constexpr double kMost = 9007199254740991;  // Number.MAX_SAFE_INTEGER
  return static_cast<int64_t>(std::min(bytes, kMost));
}

double BytesOf(ggml_type type, double elements) {
  return elements * static_cast<double>(ggml_type_size(type)) / static_cast<double>(ggml_blck_size(type));
}

double StateBytes(const llama_model* model) {
  const double inner = MetadataNumber(model, "ssm.inner_size", 0);
  const double state = MetadataNumber(model, "ssm.state_size", 0);
  const double kernel = MetadataNumber(model, "ssm.conv_kernel", 1);
  const double groups = MetadataNumber(model, "ssm.group_count", 0);
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
  const double head_layers = loaded.has_head() ? llama_model_n_layer_nextn(model) : 0;
  const double layers = llama_model_n_layer(model) + head_layers;
  const double contexts = loaded.has_head() ? 2 : 1;
  const double heads = std::max(1, llama_model_n_head(model));
  const double kv_heads = std::max(1, llama_model_n_head_kv(model));
  const double width = llama_model_n_embd(model);
  const double head = std::floor(width / heads);
  const double keys = kv_heads * MetadataNumber(model, "attention.key_length", head);
  const double values = kv_heads * MetadataNumber(model, "attention.value_length", head);
  const double inner = MetadataNumber(model, "feed_forward_length", 4 * width);
  const auto rows = static_cast<double>(options.micro_batch_size);
  const bool attends = !llama_model_is_recurrent(model);
  const double cell =
      std::floor(BytesOf(KvType(options.key_type), keys)) + std::floor(BytesOf(KvType(options.value_type), values));
  // Of a head alone llama.cpp reserves those of a whole micro-batch.
  const double sampled = static_cast<double>(OutputRows(options));
  const double logits = (loaded.is_head() ? std::max(sampled, rows) : sampled) * loaded.vocabulary_size();
  // Of three layers, as they come and side by side, and what the head makes of them; or the last, twice.
  const double read = 3 * MetadataNumber(model, "target_hidden_size", width);
  const double numbers = loaded.is_head() ? 2 * read + width : loaded.has_head() ? 2 * width : 0;
  const double states = static_cast<double>(options.batch_size) * numbers;
  return {
      .weights = static_cast<int64_t>(llama_model_size(model)),
      .per_cell = attends ? Bytes(layers * cell) : 0,
      .per_sequence = Bytes(StateBytes(model) * (1.0 + static_cast<double>(options.rollback))),
      .buffers = Bytes(kSingle * (contexts * (rows * (2 * inner + 6 * width) + 2 * logits) + states)),
      .buffers_per_cell = Bytes(contexts * rows * (kHalf + (options.flash_attention == "off" ? kSingle * heads : 0))),
      .gpu_share = loaded.gpu_share()};
}

}  // namespace llamero
