#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/request.h"

namespace llamero {

/// Index of the largest value, the first of equals; 0 if all are NaN. REQUIRES: row is not empty.
size_t ArgMax(std::span<const float> row);

/// Indices of the `k` largest values, largest first.
std::vector<size_t> TopIndices(std::span<const float> row, size_t k);

/// log(sum(exp(row))): what turns a logit into a log probability.
struct LogSum {
  float value = 0;
};
LogSum LogSumOf(std::span<const float> row);

/// The `count` most likely tokens of a row.
std::vector<TokenLogprob> TopLogprobs(std::span<const float> row, size_t count, LogSum sum);

}  // namespace llamero
