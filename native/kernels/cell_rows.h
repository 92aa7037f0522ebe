#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/vector.h"

/// Keys and values as the cache stores them. `At(row, d)` gives the numbers d to d + kWidth - 1 of a row.
/// REQUIRES: d is a multiple of kWidth.
namespace llamero::kernels {

/// Asks for a row that is needed a window later. Into the second cache, since a window of all heads fills the first.
inline void Fetch(const char* row, size_t bytes) {
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(row + i, 0, 2);
}

struct FloatRows {
  static Vector At(const char* row, int64_t d) { return Load(reinterpret_cast<const float*>(row) + d); }
};

struct HalfRows {
  static Vector At(const char* row, int64_t d) { return LoadHalf(reinterpret_cast<const uint16_t*>(row) + d); }
};

struct BrainRows {
  static Vector At(const char* row, int64_t d) { return LoadBrain(reinterpret_cast<const uint16_t*>(row) + d); }
};

/// ggml's q8_0: blocks of 32 signed bytes behind their scale in half precision.
struct ByteRows {
  static constexpr int64_t kBlock = 32;
  static constexpr int64_t kBlockSize = 2 + kBlock;

  static Vector At(const char* row, int64_t d) {
    const char* block = row + d / kBlock * kBlockSize;
    return LoadOneHalf(block) * LoadBytes(reinterpret_cast<const int8_t*>(block + 2) + d % kBlock);
  }
};

}  // namespace llamero::kernels
