#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/cell_rows.h"

namespace llamero::kernels {

/// Rows that are needed a window later. Few at a time: memory answers only so many requests at once, and a product has
/// time for them.
struct RowsAhead {
  const char* row;
  size_t stride, bytes;
  int64_t left;

  void Ask(int64_t count) {
    for (count = std::min(count, left); count > 0; count--, left--, row += stride) Fetch(row, bytes);
  }
};

/// The two matrix products of a window, for as many lanes as make them worth it. Sizes are multiples of kWidth.

/// scores[kWindow][lanes] = keys[kWindow][size] x queries[size][lanes], whose rows are `stride` numbers apart.
void MultiplyKeys(const float* keys, const float* queries, int64_t stride, int64_t size, int64_t lanes, float* scores,
                  RowsAhead ahead);

/// results[used][size] += weights[kWindow][lanes], transposed, x values[kWindow][size]; the first `used` lanes.
void AddValues(const float* weights, const float* values, int64_t size, int64_t lanes, int64_t used, float* results,
               RowsAhead ahead);

}  // namespace llamero::kernels
