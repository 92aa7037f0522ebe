#pragma once

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/kernels.h"
#include "kernels/vector.h"
#include "kernels/weight_formats.h"

namespace llamero::kernels {

/// Asks for the bytes of kSide rows that lie one behind the other, as far as blocks `from` to `to` of each come to.
template <class Format>
void FetchTile(const char* rows, int64_t from, int64_t to) {
  constexpr int64_t kShare = kSide * Format::kWeightSize;
  for (int64_t i = from * kShare / 64 * 64; i < to * kShare; i += 64) __builtin_prefetch(rows + i, 0, 2);
}

/// Sums of kSide rows, a lane each, and some columns. `tile`: [blocks]; `inputs`: of the first column; `heads`:
/// [columns][blocks]. Meanwhile the weights of the tile at `next` are asked for, unless it is null.
template <class Format, int columns>
void MultiplySide(const typename Format::Side* tile, int64_t blocks, const char* inputs,
                  const typename Format::Head* heads, const char* next, Vector* results) {
  const int64_t input_stride = blocks * Format::kInputSize;
  Vector sums[columns] = {};  // in registers, as memory would not be
  for (int64_t b = 0; b < blocks; b++) {
    const char* bytes = inputs + b * Format::kInputSize + Format::kInputHead;
    typename Format::Products products[columns];
    for (int c = 0; c < columns; c++) products[c] = heads[c * blocks + b].Begin();
    if (next != nullptr) FetchTile<Format>(next, b, b + 1);
    for (int word = 0; word < kBlock / 4; word++) {
      const typename Format::Words weights = tile[b].Word(word);
      for (int c = 0; c < columns; c++) {
        int32_t four;
        std::memcpy(&four, bytes + c * input_stride + 4 * word, sizeof(four));
        products[c] = Format::Dot(products[c], weights, four);
      }
    }
    for (int c = 0; c < columns; c++) sums[c] = tile[b].Add(heads[c * blocks + b], products[c], sums[c]);
  }
  std::copy_n(sums, columns, results);
}

/// As FewColumns, for many of them: the weights of kSide rows are laid side by side, a lane each, once for all columns.
/// Then a number of the input serves all lanes, and the sums come out as they are stored.
template <class Format>
class ManyColumns {
 public:
  ManyColumns(const ggml_compute_params* params, ggml_tensor* dst)
      : params_(params),
        weights_(static_cast<const char*>(dst->src[0]->data)),
        weight_stride_(dst->src[0]->nb[1]),
        inputs_(static_cast<const char*>(params->wdata)),
        results_(static_cast<float*>(dst->data)),
        blocks_(BlocksOf(dst)),
        rows_(dst->src[0]->ne[1]),
        columns_(ColumnsOf(dst)) {
    const auto memory = (reinterpret_cast<uintptr_t>(params->wdata) + InputSize(dst) + 63) & ~uintptr_t{63};
    tile_ = reinterpret_cast<Side*>(memory + params->ith * ThreadSize(dst));
    heads_ = reinterpret_cast<Head*>(tile_ + blocks_);
  }

  /// Bytes of the work buffer: the inputs, then room for each thread.
  static size_t Size(const ggml_tensor* dst, int threads) { return InputSize(dst) + 64 + threads * ThreadSize(dst); }

  void Run() {
    const int64_t tiles = (rows_ + kSide - 1) / kSide;
    // Threads take some tiles at a time, as they come free.
    const int64_t run = std::clamp<int64_t>(tiles / (params_->nth * 8), 1, 4);
    int64_t i = params_->ith;
    if (i * run >= tiles) return;
    FetchTile<Format>(weights_ + i * run * kSide * weight_stride_, 0, blocks_);
    ReadHeads();
    while (i * run < tiles) {
      const int64_t end = std::min(tiles, (i + 1) * run);
      const int64_t following = ggml_threadpool_chunk_add(params_->threadpool, 1);
      for (int64_t tile = i * run; tile < end; tile++) {
        const int64_t next = tile + 1 < end ? tile + 1 : following * run;
        RunTile(tile * kSide, next < tiles ? weights_ + next * kSide * weight_stride_ : nullptr);
      }
      i = following;
    }
  }

 private:
  using Side = typename Format::Side;
  using Head = typename Format::Head;

  static constexpr int64_t kColumns = Format::kColumns;

  static int64_t BlocksOf(const ggml_tensor* dst) { return dst->src[0]->ne[0] / kBlock; }
  static int64_t ColumnsOf(const ggml_tensor* dst) { return dst->ne[1] * dst->ne[2] * dst->ne[3]; }
  static size_t InputSize(const ggml_tensor* dst) { return BlocksOf(dst) * Format::kInputSize * ColumnsOf(dst); }
  static size_t ThreadSize(const ggml_tensor* dst) {
    const size_t heads = (BlocksOf(dst) * ColumnsOf(dst) * sizeof(Head) + 63) / 64 * 64;
    return BlocksOf(dst) * sizeof(Side) + heads;
  }

  void ReadHeads() {
    for (int64_t i = 0; i < columns_ * blocks_; i++) heads_[i] = Head(inputs_ + i * Format::kInputSize);
  }

  void RunTile(int64_t row, const char* next) {
    const int64_t rows = std::min(kSide, rows_ - row);
    const char* weights = weights_ + row * weight_stride_;
    // Where the compiler knows that there are kSide rows, it leaves out what keeps to the last one.
    if (rows == kSide)
      Lay(weights, kSide);
    else
      Lay(weights, rows);
    const int64_t passes = (columns_ + kColumns - 1) / kColumns;
    for (int64_t pass = 0; pass < passes; pass++) {
      const int64_t column = columns_ * pass / passes;
      const int64_t columns = columns_ * (pass + 1) / passes - column;
      (this->*Runners(std::make_index_sequence<kColumns>())[columns - 1])(row, rows, column,
                                                                          pass == 0 ? next : nullptr);
    }
  }

  using Runner = void (ManyColumns::*)(int64_t, int64_t, int64_t, const char*);

  /// By number of columns, less one.
  template <size_t... columns>
  static const Runner* Runners(std::index_sequence<columns...>) {
    static constexpr Runner kRunners[] = {&ManyColumns::RunColumns<columns + 1>...};
    return kRunners;
  }

  [[gnu::always_inline]] void Lay(const char* weights, int64_t rows) {
    for (int64_t b = 0; b < blocks_; b++) tile_[b].Lay(weights + b * Format::kWeightSize, weight_stride_, rows);
  }

  template <int columns>
  void RunColumns(int64_t row, int64_t rows, int64_t column, const char* next) {
    Vector sums[columns];
    MultiplySide<Format, columns>(tile_, blocks_, inputs_ + column * blocks_ * Format::kInputSize,
                                  heads_ + column * blocks_, next, sums);
    for (int c = 0; c < columns; c++)
      std::memcpy(results_ + (column + c) * rows_ + row, sums + c, rows * sizeof(float));
  }

  const ggml_compute_params* const params_;
  const char* const weights_;
  const int64_t weight_stride_;  // bytes
  const char* const inputs_;
  float* const results_;
  const int64_t blocks_, rows_, columns_;
  Side* tile_;   // [blocks]
  Head* heads_;  // [columns][blocks]
};

}  // namespace llamero::kernels
