#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/attention_shape.h"
#include "kernels/vector.h"

namespace llamero::kernels {

/// Of one row: one fewer than two passes, and another window's.
constexpr int64_t kMostWaiting = 3 * kWindow;

constexpr int64_t PaddedLanes(int64_t lanes) { return (lanes + kWidth - 1) / kWidth * kWidth; }

/// One thread's memory for one block: what came out of the cells so far, and room to work.
struct AttentionScratch {
  AttentionScratch(const AttentionShape& shape, char* memory) { Lay(shape, memory); }

  static size_t Size(const AttentionShape& shape) {
    AttentionScratch scratch;
    return scratch.Lay(shape, nullptr);
  }

  // By lane: the largest score, the sum of the exponentials and the values' weighted sums; scores are relative to the
  // largest.
  float* largest;  // [lanes]
  float* sums;     // [lanes]
  float* values;   // [lanes][value_size]

  float* slopes;  // [block_key_heads][block_group]: what a mask is multiplied by

  // For windows that most lanes of a key-value head see. Lanes are padded to vectors here.
  float* queries;   // [block_key_heads][key_size][padded], scaled; a vector more, since reading may start at any lane
  float* keys;      // [kWindow][key_size]
  float* weights;   // [kWindow][padded]: scores, then their exponentials
  float* contents;  // [kWindow][value_size]
  float* largest_now;  // [padded]: of the lanes at hand
  float* sums_now;     // [padded]
  float* factors;      // [padded]
  int32_t* low;        // [padded]: which of the window's first 32 cells a lane sees
  int32_t* high;       // [padded]: and of the others
  bool has_queries;

  // For cells that few lanes see: gathered by row until they are worth a pass, and those of the next pass are known.
  int32_t* waiting;    // [block_rows][kMostWaiting]
  int32_t* waiting_n;  // [block_rows]

 private:
  AttentionScratch() = default;

  size_t Lay(const AttentionShape& shape, char* memory) {
    size_t used = 0;
    const auto take = [&](auto*& place, int64_t count) {
      if (memory != nullptr) place = reinterpret_cast<std::remove_reference_t<decltype(place)>>(memory + used);
      used += (count * sizeof(*place) + 63) / 64 * 64;
    };
    take(largest, shape.lanes);
    take(sums, shape.lanes);
    take(values, shape.lanes * shape.value_size);
    take(slopes, shape.block_key_heads * shape.block_group);
    const int64_t padded = PaddedLanes(shape.key_lanes);
    take(queries, shape.block_key_heads * padded * shape.key_size + kWidth);
    take(keys, kWindow * shape.key_size);
    take(weights, kWindow * padded);
    take(contents, kWindow * shape.value_size);
    take(largest_now, padded);
    take(sums_now, padded);
    take(factors, padded);
    take(low, padded);
    take(high, padded);
    take(waiting, shape.block_rows * kMostWaiting);
    take(waiting_n, shape.block_rows);
    return used;
  }
};

}  // namespace llamero::kernels
