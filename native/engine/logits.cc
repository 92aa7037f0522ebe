#include "engine/logits.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace llamero {
namespace {

// Rows are walked in blocks whose maximum the compiler computes with vector instructions; only a block that may hold
// something of interest is looked at value by value.
constexpr size_t kBlock = 64;
constexpr float kLowest = -std::numeric_limits<float>::infinity();

float BlockMax(const float* values) {
  float lanes[16];
  for (float& lane : lanes) lane = kLowest;
  for (size_t i = 0; i < kBlock; i += 16) {
    for (size_t lane = 0; lane < 16; lane++) {
      lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
    }
  }
  return *std::max_element(lanes, lanes + 16);
}

/// Calls `visit(index)` for every value greater than `threshold()`, which may rise in between.
template <typename Threshold, typename Visit>
void VisitAbove(std::span<const float> row, Threshold threshold, Visit visit) {
  const size_t whole = row.size() / kBlock * kBlock;
  for (size_t block = 0; block < whole; block += kBlock) {
    if (!(BlockMax(row.data() + block) > threshold())) continue;
    for (size_t i = block; i < block + kBlock; i++) {
      if (row[i] > threshold()) visit(i);
    }
  }
  for (size_t i = whole; i < row.size(); i++) {
    if (row[i] > threshold()) visit(i);
  }
}

}  // namespace

size_t ArgMax(std::span<const float> row) {
  size_t best = 0;
  float value = kLowest;
  VisitAbove(
      row, [&] { return value; }, [&](size_t i) { best = i, value = row[i]; });
  return best;
}

std::vector<size_t> TopIndices(std::span<const float> row, size_t k) {
  k = std::min(k, row.size());
  const auto worse = [&](size_t a, size_t b) { return row[a] != row[b] ? row[a] > row[b] : a < b; };
  std::vector<size_t> heap;  // the worst kept on top
  heap.reserve(k + 1);
  const auto threshold = [&] { return heap.size() < k ? kLowest : row[heap.front()]; };
  VisitAbove(row, threshold, [&](size_t i) {
    heap.push_back(i);
    std::push_heap(heap.begin(), heap.end(), worse);
    if (heap.size() <= k) return;
    std::pop_heap(heap.begin(), heap.end(), worse);
    heap.pop_back();
  });
  std::sort_heap(heap.begin(), heap.end(), worse);
  return heap;
}

LogSum LogSumOf(std::span<const float> row) {
  const float max = row[ArgMax(row)];
  double sum = 0;
  for (const float value : row) sum += std::exp(value - max);
  return {max + static_cast<float>(std::log(sum))};
}

std::vector<TokenLogprob> TopLogprobs(std::span<const float> row, size_t count, LogSum sum) {
  std::vector<TokenLogprob> top;
  for (const size_t i : TopIndices(row, count)) top.push_back({static_cast<llama_token>(i), row[i] - sum.value});
  return top;
}

}  // namespace llamero
