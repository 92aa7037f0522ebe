#pragma once

#include <llama.h>

#include <string>
#include <string_view>
#include <vector>

namespace llamero {

/// Values that llama.cpp takes instead of those that a file has, or has not. A list of them ends with one without a key.
using MetadataOverrides = std::vector<llama_model_kv_override>;

/// A key or text beyond llama.cpp's 127 bytes is cut.
llama_model_kv_override TextOverride(std::string_view key, std::string_view text);
llama_model_kv_override NumberOverride(std::string_view key, int64_t number);
llama_model_kv_override FloatOverride(std::string_view key, double number);
/// Ends a list.
llama_model_kv_override NoOverride();

}  // namespace llamero
