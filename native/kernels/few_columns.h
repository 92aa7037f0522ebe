#pragma once

#include <algorithm>
#include <cstring>
#include <iterator>

#include "kernels/kernels.h"
#include "kernels/vector.h"
#include "kernels/weight_formats.h"

namespace llamero::kernels {

// Weights are asked for so many bytes before their turn: they come from main memory, and processors foresee no further
// than the end of a page. Found by trying, on Zen 4: 19 GB/s without, 16 to 22 with 0.5 to 8 KiB.
constexpr int64_t kWeightsAhead = 3072;

template <class Format>
int64_t GroupsOf(int64_t blocks) {
  return (blocks + Format::kGroup - 1) / Format::kGroup;
}

template <class Format>
void FetchAhead(const char* group) {
  for (int64_t i = 0; i < Format::kGroup * Format::kWeightSize; i += 64) __builtin_prefetch(group + kWeightsAhead + i);
}

/// rows x columns products. `weights`: of row 0; `inputs`: [columns][groups]; `results`: column by column.
template <class Format, int rows, int columns>
void MultiplyTile(const char* weights, int64_t weight_stride, int64_t blocks, const typename Format::Inputs* inputs,
                  float* results, int64_t result_stride) {
  const int64_t groups = GroupsOf<Format>(blocks);
  Vector sums[rows][columns] = {};
  for (int64_t g = 0; g < groups; g++) {
    const int64_t left = std::min(Format::kGroup, blocks - g * Format::kGroup);
    for (int r = 0; r < rows; r++) {
      const char* from = weights + r * weight_stride + g * Format::kGroup * Format::kWeightSize;
      FetchAhead<Format>(from);
      const typename Format::Weights weight(from, left);
      for (int c = 0; c < columns; c++) sums[r][c] = Format::Multiply(weight, inputs[c * groups + g], sums[r][c]);
    }
  }
  for (int r = 0; r < rows; r++) {
    if constexpr (columns % 4 == 0) {
      for (int c = 0; c < columns; c += 4) {
        const Quad four = SumsOf(sums[r][c], sums[r][c + 1], sums[r][c + 2], sums[r][c + 3]);
        for (int i = 0; i < 4; i++) results[(c + i) * result_stride + r] = four[i];
      }
    } else {
      for (int c = 0; c < columns; c++) results[c * result_stride + r] = SumOf(sums[r][c]);
    }
  }
}

/// A matrix of weights times columns of inputs, which upstream has quantised: one thread's view of it. A vector holds
/// blocks of one row, so nothing has to be turned round before few columns meet it; but each sum lies spread over a
/// vector. Threads take runs of rows as they come free. Of these, a few columns at a time: their inputs stay in the
/// nearest cache.
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
    const int64_t passes = (columns_ + kColumns - 1) / kColumns;
    int64_t column_laid = -1;
    for (int64_t i = params_->ith; i < runs; i = ggml_threadpool_chunk_add(params_->threadpool, 1)) {
      const int64_t end = std::min(rows_, (i + 1) * run);
      // As alike as they can be: 5 and 4 cost less than 8 and 1.
      for (int64_t pass = 0; pass < passes; pass++) {
        const int64_t column = columns_ * pass / passes;
        const int64_t columns = columns_ * (pass + 1) / passes - column;
        if (column != column_laid) Lay(column, columns);
        column_laid = column;
        RunColumns(i * run, end, column, columns);
      }
    }
  }

 private:
  using Inputs = typename Format::Inputs;

  static constexpr int64_t kColumns = 8;

  static int64_t ColumnsOf(const ggml_tensor* dst) { return dst->ne[1] * dst->ne[2] * dst->ne[3]; }
  static size_t InputSize(const ggml_tensor* dst) {
    return dst->src[0]->ne[0] / kBlock * Format::kInputSize * ColumnsOf(dst);
  }
  static size_t LaidSize(const ggml_tensor* dst) {
    return kColumns * GroupsOf<Format>(dst->src[0]->ne[0] / kBlock) * sizeof(Inputs);
  }

  void Lay(int64_t column, int64_t columns) {
    for (int64_t c = 0; c < columns; c++) {
      const char* from = inputs_ + (column + c) * blocks_ * Format::kInputSize;
      Inputs* groups = laid_ + c * groups_;
      std::memset(&groups[groups_ - 1], 0, sizeof(Inputs));
      for (int64_t block = 0; block < blocks_; block++) {
        Inputs& group = groups[block / Format::kGroup];
        if (block % Format::kGroup == 0) std::memset(&group, 0, sizeof(group));
        Format::Lay(from + block * Format::kInputSize, block % Format::kGroup, group);
      }
    }
  }

  void RunColumns(int64_t row, int64_t end, int64_t column, int64_t columns) {
    using Runner = void (FewColumns::*)(int64_t, int64_t, int64_t);
    // Few columns leave a row's weights too little work to hide where the next row's come from: row after row they are
    // read in the order in which they lie.
    static constexpr Runner kRunners[] = {&FewColumns::RunTiles<1, 1>, &FewColumns::RunTiles<1, 2>,
                                          &FewColumns::RunTiles<1, 3>, &FewColumns::RunTiles<2, 4>,
                                          &FewColumns::RunTiles<2, 5>, &FewColumns::RunTiles<2, 6>,
                                          &FewColumns::RunTiles<2, 7>, &FewColumns::RunTiles<2, 8>};
    static_assert(std::size(kRunners) == kColumns);
    (this->*kRunners[columns - 1])(row, end, column);
  }

  template <int rows, int columns>
  void RunTiles(int64_t row, int64_t end, int64_t column) {
    float* results = results_ + column * rows_;
    for (; row + rows <= end; row += rows) {
      MultiplyTile<Format, rows, columns>(weights_ + row * weight_stride_, weight_stride_, blocks_, laid_,
                                          results + row, rows_);
    }
    for (; row < end; row++) {
      MultiplyTile<Format, 1, columns>(weights_ + row * weight_stride_, weight_stride_, blocks_, laid_, results + row,
                                       rows_);
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
