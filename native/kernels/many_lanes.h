#pragma once

#include <cstdint>

namespace llamero::kernels {

/// The two matrix products of a window, for as many lanes as make them worth it. Sizes are multiples of kWidth.

/// scores[kWindow][lanes] = keys[kWindow][size] x queries[size][lanes].
void MultiplyKeys(const float* keys, const float* queries, int64_t size, int64_t lanes, float* scores);

/// results[used][size] += weights[kWindow][lanes], transposed, x values[kWindow][size]; the first `used` lanes.
void AddValues(const float* weights, const float* values, int64_t size, int64_t lanes, int64_t used, float* results);

}  // namespace llamero::kernels
