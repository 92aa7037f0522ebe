#include "kernels/many_lanes.h"

#include <type_traits>

#include "kernels/attention_shape.h"
#include "kernels/vector.h"

namespace llamero::kernels {
namespace {

// As many accumulators as registers allow: 6 x 4 of 32, 6 x 2 of 16.
constexpr int kTall = 6;
constexpr int kWide = kManyRegisters ? 4 : 2;

template <int value>
using Constant = std::integral_constant<int, value>;

template <int tall, int wide>
void MultiplyTile(const float* keys, const float* queries, int64_t stride, int64_t size, int64_t lanes, float* scores) {
  Vector sums[tall][wide] = {};
  for (int64_t d = 0; d < size; d++) {
    Vector query[wide];
    for (int j = 0; j < wide; j++) query[j] = Load(queries + d * stride + j * kWidth);
    for (int i = 0; i < tall; i++) {
      for (int j = 0; j < wide; j++) sums[i][j] += keys[i * size + d] * query[j];
    }
  }
  for (int i = 0; i < tall; i++) {
    for (int j = 0; j < wide; j++) Store(scores + i * lanes + j * kWidth, sums[i][j]);
  }
}

template <int wide>
void MultiplyColumns(const float* keys, const float* queries, int64_t stride, int64_t size, int64_t lanes,
                     float* scores, RowsAhead& ahead) {
  // Fewer than eight sums would wait for one another.
  constexpr int tall = wide == 1 ? 2 * kTall : kTall;
  int64_t i = 0;
  for (; i + tall <= kWindow; i += tall) {
    ahead.Ask(tall);
    MultiplyTile<tall, wide>(keys + i * size, queries, stride, size, lanes, scores + i * lanes);
  }
  static_assert(kWindow % tall == 4);
  ahead.Ask(4);
  MultiplyTile<4, wide>(keys + i * size, queries, stride, size, lanes, scores + i * lanes);
}

template <int tall, int wide>
void AddTile(const float* weights, const float* values, int64_t size, int64_t lanes, float* results) {
  Vector sums[tall][wide];
  for (int i = 0; i < tall; i++) {
    for (int j = 0; j < wide; j++) sums[i][j] = Load(results + i * size + j * kWidth);
  }
  for (int64_t cell = 0; cell < kWindow; cell++) {
    Vector value[wide];
    for (int j = 0; j < wide; j++) value[j] = Load(values + cell * size + j * kWidth);
    for (int i = 0; i < tall; i++) {
      for (int j = 0; j < wide; j++) sums[i][j] += weights[cell * lanes + i] * value[j];
    }
  }
  for (int i = 0; i < tall; i++) {
    for (int j = 0; j < wide; j++) Store(results + i * size + j * kWidth, sums[i][j]);
  }
}

template <int wide>
void AddColumns(const float* weights, const float* values, int64_t size, int64_t lanes, int64_t used, float* results,
                RowsAhead& ahead) {
  const auto add = [&](auto tall, int64_t i) {
    ahead.Ask(4);
    AddTile<tall, wide>(weights + i, values, size, lanes, results + i * size);
    return i + tall;
  };
  int64_t i = 0;
  while (used - i >= kTall + 3 || used - i == kTall) i = add(Constant<kTall>(), i);
  while (used - i >= 4) i = add(Constant<4>(), i);
  if (used - i == 3) i = add(Constant<3>(), i);
  if (used - i == 2) i = add(Constant<2>(), i);
  if (used - i == 1) i = add(Constant<1>(), i);
}

}  // namespace

void MultiplyKeys(const float* keys, const float* queries, int64_t stride, int64_t size, int64_t lanes, float* scores,
                  RowsAhead ahead) {
  int64_t j = 0;
  for (; j + kWide * kWidth <= lanes; j += kWide * kWidth) {
    MultiplyColumns<kWide>(keys, queries + j, stride, size, lanes, scores + j, ahead);
  }
  for (; j + 2 * kWidth <= lanes; j += 2 * kWidth) {
    MultiplyColumns<2>(keys, queries + j, stride, size, lanes, scores + j, ahead);
  }
  for (; j < lanes; j += kWidth) MultiplyColumns<1>(keys, queries + j, stride, size, lanes, scores + j, ahead);
}

void AddValues(const float* weights, const float* values, int64_t size, int64_t lanes, int64_t used, float* results,
               RowsAhead ahead) {
  int64_t j = 0;
  for (; j + kWide * kWidth <= size; j += kWide * kWidth) {
    AddColumns<kWide>(weights, values + j, size, lanes, used, results + j, ahead);
  }
  for (; j < size; j += kWidth) AddColumns<1>(weights, values + j, size, lanes, used, results + j, ahead);
  ahead.Ask(ahead.left);
}

}  // namespace llamero::kernels
