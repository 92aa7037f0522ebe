#pragma once

#include <llama.h>

#include <string>

namespace llamero {

/// llama.cpp's value for "on", "off" and "auto".
inline llama_flash_attn_type FlashAttention(const std::string& name) {
  if (name == "on") return LLAMA_FLASH_ATTN_TYPE_ENABLED;
  return name == "off" ? LLAMA_FLASH_ATTN_TYPE_DISABLED : LLAMA_FLASH_ATTN_TYPE_AUTO;
}

}  // namespace llamero
