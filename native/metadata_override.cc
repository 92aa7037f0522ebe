#include "metadata_override.h"

#include <algorithm>

namespace llamero {
namespace {

llama_model_kv_override Override(std::string_view key, llama_model_kv_override_type type) {
  llama_model_kv_override made{};
  made.tag = type;
  std::copy_n(key.data(), std::min(key.size(), sizeof made.key - 1), made.key);
  return made;
}

}  // namespace

llama_model_kv_override TextOverride(std::string_view key, std::string_view text) {
  llama_model_kv_override made = Override(key, LLAMA_KV_OVERRIDE_TYPE_STR);
  std::copy_n(text.data(), std::min(text.size(), sizeof made.val_str - 1), made.val_str);
  return made;
}

llama_model_kv_override NumberOverride(std::string_view key, int64_t number) {
  llama_model_kv_override made = Override(key, LLAMA_KV_OVERRIDE_TYPE_INT);
  made.val_i64 = number;
  return made;
}

llama_model_kv_override FloatOverride(std::string_view key, double number) {
  llama_model_kv_override made = Override(key, LLAMA_KV_OVERRIDE_TYPE_FLOAT);
  made.val_f64 = number;
  return made;
}

llama_model_kv_override NoOverride() { return {}; }

}  // namespace llamero
