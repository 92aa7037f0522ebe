#pragma once

#include <cstdint>

#include <ggml.h>

namespace llamero::kernels {

/// What a pass over cells needs to know beside the numbers.
struct ScoreRule {
  float scale;
  float soft_cap;        // 0: none
  const uint16_t* mask;  // the row's mask in half precision, added to the scores; null: nothing to add
  const float* slopes;   // by head: what the mask is multiplied by
};

/// Cells of one pass.
struct CellList {
  const int32_t* cells;  // [count]
  int64_t count;         // up to kWindow
  const int32_t* next;   // [count]: rows of the same head that are asked for meanwhile, those of the next pass
};

/// Takes up to kWindow cells into the results of a few heads of one row: each key and value row is read once for all of
/// them. Keys and values are read where they lie.
struct FewLanes {
  /// At most so many heads a call.
  static const int64_t kHeads;

  const char* keys;  // row 0 of the key-value head
  const char* values;
  int64_t key_stride, value_stride;  // bytes from cell to cell
  int64_t key_size, value_size;      // numbers of a row
  int64_t key_bytes, value_bytes;    // and its bytes
  ggml_type key_type, value_type;

  /// `queries`: [heads][key_size], `query_stride` numbers apart. `largest`, `sums`: [heads]; `results`: [heads][value_size].
  void Take(const CellList& list, int64_t heads, const float* queries, int64_t query_stride, const ScoreRule& rule,
            float* largest, float* sums, float* results) const;
};

}  // namespace llamero::kernels
