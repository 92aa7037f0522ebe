#include "embedder/packing.h"

#include <algorithm>

namespace llamero {

std::vector<int64_t> PackStep(std::span<const PackInput> waiting, const PackLimits& limits) {
  if (waiting.empty()) return {};
  const PackInput& first = waiting.front();
  if (first.length > limits.tokens) {
    const int64_t rest = first.length - first.computed;
    return {limits.splits ? std::min(rest, limits.tokens) : rest};
  }
  std::vector<int64_t> counts;
  int64_t tokens = 0;
  for (const PackInput& input : waiting) {
    tokens += input.length;
    if (tokens > limits.tokens || static_cast<int64_t>(counts.size()) >= limits.inputs) break;
    counts.push_back(input.length);
  }
  return counts;
}

}  // namespace llamero
