#include "kernels/many_lanes.h"

#include "kernels/attention_shape.h"
#include "kernels/vector.h"

namespace llamero::kernels {
namespace {

// As many accumulators as registers allow: 6 x 4 of 32, 6 x 2 of 16.
constexpr int kTall = 6;
constexpr int kWide = kManyRegisters ? 4 : 2;

template <int tall, int wide>
void MultiplyTile(const float* keys, const float* queries, int64_t size, int64_t lanes, float* scores) {
  Vector sums[tall][wide] = {};
  for (int64_t d = 0; d < size; d++) {
    Vector query[wide];
    for (int j = 0; j < wide; j++) query[j] = Load(queries + d * lanes + j * kWidth);
    for (int i = 0; i < tall; i++) {
      for (int j = 0; j < wide; j++) sums[i][j] += keys[i * size + d] * query[j];
    }
  }
  for (int i = 0; i < tall; i++) {
    for (int j = 0; j < wide; j++) Store(scores + i * lanes + j * kWidth, sums[i][j]);
  }
}

template <int wide>
void MultiplyColumns(const float* keys, const float* queries, int64_t size, int64_t lanes, float* scores) {
  int64_t i = 0;
  for (; i + kTall <= kWindow; i += kTall) {
    MultiplyTile<kTall, wide>(keys + i * size, queries, size, lanes, scores + i * lanes);
  }
  static_assert(kWindow % kTall == 4);
  MultiplyTile<4, wide>(keys + i * size, queries, size, lanes, scores + i * lanes);
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
void AddColumns(const float* weights, const float* values, int64_t size, int64_t lanes, int64_t used, float* results) {
  int64_t i = 0;
  for (; i + kTall <= used; i += kTall) AddTile<kTall, wide>(weights + i, values, size, lanes, results + i * size);
  for (; i + 3 <= used; i += 3) AddTile<3, wide>(weights + i, values, size, lanes, results + i * size);
  for (; i < used; i++) AddTile<1, wide>(weights + i, values, size, lanes, results + i * size);
}

}  // namespace

void MultiplyKeys(const float* keys, const float* queries, int64_t size, int64_t lanes, float* scores) {
  int64_t j = 0;
  for (; j + kWide * kWidth <= lanes; j += kWide * kWidth) {
    MultiplyColumns<kWide>(keys, queries + j, size, lanes, scores + j);
  }
  for (; j + 2 * kWidth <= lanes; j += 2 * kWidth) MultiplyColumns<2>(keys, queries + j, size, lanes, scores + j);
  for (; j < lanes; j += kWidth) MultiplyColumns<1>(keys, queries + j, size, lanes, scores + j);
}

void AddValues(const float* weights, const float* values, int64_t size, int64_t lanes, int64_t used, float* results) {
  int64_t j = 0;
  for (; j + kWide * kWidth <= size; j += kWide * kWidth) {
    AddColumns<kWide>(weights, values + j, size, lanes, used, results + j);
  }
  for (; j < size; j += kWidth) AddColumns<1>(weights, values + j, size, lanes, used, results + j);
}

}  // namespace llamero::kernels
