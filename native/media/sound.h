#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace llamero {

/// Decodes WAV, MP3 or FLAC to one channel at `rate` samples a second. Throws Failure: ERR_MEDIA_INVALID for bytes that
/// are none of these, are damaged, empty, or longer than 30 minutes, counted on what is decoded.
std::vector<float> DecodeSound(std::span<const uint8_t> bytes, int rate);

}  // namespace llamero
