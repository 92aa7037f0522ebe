#include "kernels/few_lanes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/attention_shape.h"
#include "kernels/cell_rows.h"
#include "kernels/vector.h"

namespace llamero::kernels {
namespace {

constexpr int kMostHeads = kManyRegisters ? 4 : 2;
constexpr float kNone = -std::numeric_limits<float>::infinity();

/// Scores of kWindow cells at most, four at a time: [heads][kWindow].
template <class Rows, int heads>
void Score(const FewLanes& lanes, const CellList& list, const float* queries, int64_t query_stride,
           float (*scores)[kWindow]) {
  for (int64_t i = 0; i < list.count; i += 4) {
    const char* rows[4];
    for (int64_t j = 0; j < 4; j++) {
      const int64_t at = std::min(i + j, list.count - 1);
      rows[j] = lanes.keys + list.cells[at] * lanes.key_stride;
      Fetch(lanes.keys + list.next[at] * lanes.key_stride, lanes.key_bytes);
    }
    Vector sums[heads][4] = {};
    for (int64_t d = 0; d < lanes.key_size; d += kWidth) {
      Vector query[heads];
      for (int h = 0; h < heads; h++) query[h] = Load(queries + h * query_stride + d);
      for (int j = 0; j < 4; j++) {
        const Vector key = Rows::At(rows[j], d);
        for (int h = 0; h < heads; h++) sums[h][j] += query[h] * key;
      }
    }
    for (int h = 0; h < heads; h++) {
      const Quad four = SumsOf(sums[h][0], sums[h][1], sums[h][2], sums[h][3]);
      std::memcpy(scores[h] + i, &four, sizeof(four));
    }
  }
}

/// results += weights * values; [heads][kWindow] weights.
template <class Rows, int heads, int columns>
void AddColumns(const FewLanes& lanes, const CellList& list, const float (*weights)[kWindow], const float* factors,
                int64_t d, float* results) {
  Vector sums[heads][columns];
  for (int h = 0; h < heads; h++) {
    for (int c = 0; c < columns; c++) sums[h][c] = factors[h] * Load(results + h * lanes.value_size + d + c * kWidth);
  }
  for (int64_t i = 0; i < list.count; i++) {
    const char* row = lanes.values + list.cells[i] * lanes.value_stride;
    if (d == 0) Fetch(lanes.values + list.next[i] * lanes.value_stride, lanes.value_bytes);
    Vector value[columns];
    for (int c = 0; c < columns; c++) value[c] = Rows::At(row, d + c * kWidth);
    for (int h = 0; h < heads; h++) {
      for (int c = 0; c < columns; c++) sums[h][c] += weights[h][i] * value[c];
    }
  }
  for (int h = 0; h < heads; h++) {
    for (int c = 0; c < columns; c++) Store(results + h * lanes.value_size + d + c * kWidth, sums[h][c]);
  }
}

template <class Rows, int heads>
void Add(const FewLanes& lanes, const CellList& list, const float (*weights)[kWindow], const float* factors,
         float* results) {
  int64_t d = 0;
  for (; d + 4 * kWidth <= lanes.value_size; d += 4 * kWidth) {
    AddColumns<Rows, heads, 4>(lanes, list, weights, factors, d, results);
  }
  for (; d < lanes.value_size; d += kWidth) {
    AddColumns<Rows, heads, 1>(lanes, list, weights, factors, d, results);
  }
}

/// Turns the scores of one head into weights: relative to the largest, which may be new; then all that was weighed
/// before shrinks by the factor that is returned.
float Weigh(float* scores, const CellList& list, const ScoreRule& rule, float slope, float& largest, float& sum) {
  const int64_t whole = (list.count + kWidth - 1) / kWidth * kWidth;
  if (rule.mask != nullptr) {
    for (int64_t i = 0; i < list.count; i++) scores[i] += slope * LoadOneHalf(rule.mask + list.cells[i]);
  }
  for (int64_t i = list.count; i < whole; i++) scores[i] = kNone;
  Vector most = Load(scores);
  for (int64_t i = kWidth; i < whole; i += kWidth) most = Max(most, Load(scores + i));
  const float found = std::fmax(largest, LargestOf(most));
  Vector added = {};
  for (int64_t i = 0; i < whole; i += kWidth) {
    const Vector weight = Exp(Load(scores + i) - found);
    Store(scores + i, weight);
    added += weight;
  }
  const float factor = std::exp(largest - found);
  sum = sum * factor + SumOf(added);
  largest = found;
  return factor;
}

void Scale(float* scores, int64_t count, const ScoreRule& rule) {
  for (int64_t i = 0; i < count; i += kWidth) {
    Vector score = Load(scores + i) * rule.scale;
    if (rule.soft_cap != 0) score = rule.soft_cap * Tanh(score);
    Store(scores + i, score);
  }
}

template <int heads>
void ScoreBy(const FewLanes& lanes, const CellList& list, const float* queries, int64_t query_stride,
             float (*scores)[kWindow]) {
  switch (lanes.key_type) {
    case GGML_TYPE_F16:
      return Score<HalfRows, heads>(lanes, list, queries, query_stride, scores);
    case GGML_TYPE_BF16:
      return Score<BrainRows, heads>(lanes, list, queries, query_stride, scores);
    case GGML_TYPE_Q8_0:
      return Score<ByteRows, heads>(lanes, list, queries, query_stride, scores);
    default:
      return Score<FloatRows, heads>(lanes, list, queries, query_stride, scores);
  }
}

template <int heads>
void AddBy(const FewLanes& lanes, const CellList& list, const float (*weights)[kWindow], const float* factors,
           float* results) {
  switch (lanes.value_type) {
    case GGML_TYPE_F16:
      return Add<HalfRows, heads>(lanes, list, weights, factors, results);
    case GGML_TYPE_BF16:
      return Add<BrainRows, heads>(lanes, list, weights, factors, results);
    case GGML_TYPE_Q8_0:
      return Add<ByteRows, heads>(lanes, list, weights, factors, results);
    default:
      return Add<FloatRows, heads>(lanes, list, weights, factors, results);
  }
}

template <int heads>
void TakeBy(const FewLanes& lanes, const CellList& list, const float* queries, int64_t query_stride,
            const ScoreRule& rule, float* largest, float* sums, float* results) {
  alignas(64) float scores[heads][kWindow] = {};
  ScoreBy<heads>(lanes, list, queries, query_stride, scores);
  float factors[heads];
  for (int h = 0; h < heads; h++) {
    Scale(scores[h], list.count, rule);
    factors[h] = Weigh(scores[h], list, rule, rule.slopes[h], largest[h], sums[h]);
  }
  AddBy<heads>(lanes, list, scores, factors, results);
}

}  // namespace

const int64_t FewLanes::kHeads = kMostHeads;

void FewLanes::Take(const CellList& list, int64_t heads, const float* queries, int64_t query_stride,
                    const ScoreRule& rule, float* largest, float* sums, float* results) const {
  using Taker =
      void (*)(const FewLanes&, const CellList&, const float*, int64_t, const ScoreRule&, float*, float*, float*);
  static constexpr Taker kTakers[] = {TakeBy<1>, TakeBy<2>, TakeBy<kMostHeads - 1>, TakeBy<kMostHeads>};
  kTakers[heads - 1](*this, list, queries, query_stride, rule, largest, sums, results);
}

}  // namespace llamero::kernels
