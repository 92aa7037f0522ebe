#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace llamero {

/// An input that waits to be embedded: its tokens, and how many of them are computed already.
struct PackInput {
  int64_t length = 0;
  int64_t computed = 0;
};

struct PackLimits {
  int64_t tokens = 0;   // that short inputs are packed up to
  int64_t inputs = 0;   // of one step
  bool splits = false;  // whether a longer input may be computed in several steps; else it is one, however long
};

/// How many tokens of each of the first inputs the next step computes. Short inputs share a step in their order, as many
/// as fit; one that is longer than `limits.tokens` has its steps for itself, so that its own cells are all there is when
/// it goes on. Pure. REQUIRES: only the first input may be computed in part.
std::vector<int64_t> PackStep(std::span<const PackInput> waiting, const PackLimits& limits);

}  // namespace llamero
