#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/attention_shape.h"
#include "kernels/vector.h"

namespace llamero::kernels {

/// Of one row: one fewer than two passes, and another window's.
constexpr int64_t kMostWaiting = 3 * kWindow;

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

  // For windows that most lanes see.
  float* queries;   // [key_size][lanes], scaled
  float* keys;      // [kWindow][key_size]
  float* weights;   // [kWindow][lanes]: scores, then their exponentials
  float* contents;  // [kWindow][value_size]
  float* factors;   // [lanes]
  int32_t* low;     // [lanes]: which of the window's first 32 cells a lane sees
  int32_t* high;    // [lanes]: and of the others
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
    take(queries, shape.lanes * shape.key_size);
    take(keys, kWindow * shape.key_size);
    take(weights, kWindow * shape.lanes);
    take(contents, kWindow * shape.value_size);
    take(factors, shape.lanes);
    take(low, shape.lanes);
    take(high, shape.lanes);
    take(waiting, shape.block_rows * kMostWaiting);
    take(waiting_n, shape.block_rows);
    return used;
  }
};

}  // namespace llamero::kernels
