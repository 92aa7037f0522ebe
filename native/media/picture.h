#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace llamero {

/// A decoded image: red, green and blue, row by row.
struct Picture {
  uint32_t width = 0;
  uint32_t height = 0;
  std::vector<uint8_t> pixels;
};

/// Decodes a PNG or JPEG; no other decoder is compiled in. Throws Failure: ERR_MEDIA_INVALID for bytes that are neither,
/// are damaged, or have more than 8,192 pixels a side. REQUIRES: TypeScript has judged the header.
Picture DecodePicture(std::span<const uint8_t> bytes);

}  // namespace llamero
