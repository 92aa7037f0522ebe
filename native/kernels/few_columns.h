#pragma once

#include <algorithm>
#include <cstring>

#include "kernels/kernels.h"
#include "kernels/vector.h"
#include "kernels/weight_formats.h"

namespace llamero::kernels {

// Weights are asked for so many bytes before their turn: they come from main memory, and processors foresee no further
// than the end of a page. Found by trying, on Zen 4: 19 GB/s without, 16 to 22 with 0.5 to 8 KiB.
constexpr int64_t kWeightsAhead = 3072;

// Up to so many columns, turning the weights round costs more than it saves: for three, the rate of three streams rose by a
// fifth on AVX-512 and stayed the same on AVX2; for two it fell on AVX2.
constexpr int64_t kFewColumns = 2;

template <class Format>
int64_t GroupsOf(int64_t blocks) {
  return (blocks + Format::kGroup - 1) / Format::kGroup;
}

template <class Format>
void FetchAhead(const char* group) {
  for (int64_t i = 0; i < Format::kGroup * Format::kWeightSize; i += 64) __builtin_prefetch(group + kWeightsAhead + i);
}

/// The products of one row with each column. `inputs`: [columns][groups]; `results`: `result_stride` numbers apart.
template <class Format, int columns>
void MultiplyRow(const char* weights, int64_t blocks, const typename Format::Inputs* inputs, float* results,
                 int64_t result_stride) {
  const int64_t groups = GroupsOf<Format>(blocks);
  Vector sums[columns] = {};
  for (int64_t g = 0; g < groups; g++) {
    const char* from = weights + g * Format::kGroup * Format::kWeightSize;
    FetchAhead<Format>(from);
    const typename Format::Weights weight(from, std::min(Format::kGroup, blocks - g * Format::kGroup));
    for (int c = 0; c < columns; c++) sums[c] = Format::Multiply(weight, inputs[c * groups + g], sums[c]);
  }
  for (int c = 0; c < columns; c++) results[c * result_stride] = SumOf(sums[c]);
}

/// A matrix of weights times columns of inputs, which upstream has quantised: one thread's view of it. A vector holds
/// blocks of one row, so nothing has to be turned round before one or two columns meet it; but each sum lies spread over a
/// vector. Threads take runs of rows as they come free, and row after row is read in the order in which they lie.
template <class Format>
class FewColumns {
 public:
  FewColumns(const ggml_compute_params* params, ggml_tensor* dst)
      : params_(params),
        weights_(static_cast<const char*>(dst->src[0]->data)),
        weight_stride_(dst->src[0]->nb[1]),
        inputs_(static_cast<const char*>(params->wdata)),
        results_(static_cast<float*>(dst->data)),
        blocks_(dst->src[0]->ne[0] / kBlock),
        groups_(GroupsOf<Format>(blocks_)),
        rows_(dst->src[0]->ne[1]),
        columns_(ColumnsOf(dst)) {
    const auto memory = (reinterpret_cast<uintptr_t>(params->wdata) + InputSize(dst) + 63) & ~uintptr_t{63};
    laid_ = reinterpret_cast<Inputs*>(memory + params->ith * LaidSize(dst));
  }

  /// Bytes of the work buffer: the inputs, then room for each thread.
  static size_t Size(const ggml_tensor* dst, int threads) { return InputSize(dst) + 64 + threads * LaidSize(dst); }

  void Run() {
    const int64_t run = std::clamp<int64_t>(rows_ / (params_->nth * 8) / 4 * 4, 16, 64);
    const int64_t runs = (rows_ + run - 1) / run;
    bool laid = false;
    for (int64_t i = params_->ith; i < runs; i = ggml_threadpool_chunk_add(params_->threadpool, 1)) {
      if (!laid) Lay();
      laid = true;
      const int64_t end = std::min(rows_, (i + 1) * run);
      for (int64_t row = i * run; row < end; row++) {
        const char* weights = weights_ + row * weight_stride_;
        static_assert(kFewColumns == 2);
        if (columns_ == 1)
          MultiplyRow<Format, 1>(weights, blocks_, laid_, results_ + row, rows_);
        else
          MultiplyRow<Format, kFewColumns>(weights, blocks_, laid_, results_ + row, rows_);
      }
    }
  }

 private:
  using Inputs = typename Format::Inputs;

  static int64_t ColumnsOf(const ggml_tensor* dst) { return dst->ne[1] * dst->ne[2] * dst->ne[3]; }
  static size_t InputSize(const ggml_tensor* dst) {
    return dst->src[0]->ne[0] / kBlock * Format::kInputSize * ColumnsOf(dst);
  }
  static size_t LaidSize(const ggml_tensor* dst) {
    return ColumnsOf(dst) * GroupsOf<Format>(dst->src[0]->ne[0] / kBlock) * sizeof(Inputs);
  }

  void Lay() {
    for (int64_t c = 0; c < columns_; c++) {
      const char* from = inputs_ + c * blocks_ * Format::kInputSize;
      Inputs* groups = laid_ + c * groups_;
      for (int64_t block = 0; block < blocks_; block++) {
        Inputs& group = groups[block / Format::kGroup];
        if (block % Format::kGroup == 0) std::memset(&group, 0, sizeof(group));
        Format::Lay(from + block * Format::kInputSize, block % Format::kGroup, group);
      }
    }
  }

  const ggml_compute_params* const params_;
  const char* const weights_;
  const int64_t weight_stride_;  // bytes
  const char* const inputs_;
  float* const results_;
  const int64_t blocks_, groups_, rows_, columns_;
  Inputs* laid_;
};

}  // namespace llamero::kernels
