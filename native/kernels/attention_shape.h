#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"

namespace llamero::kernels {

/// Cells are looked at in windows of this many.
constexpr int64_t kWindow = 64;

/// Of a block, for each of its key-value heads.
constexpr int64_t kMostLanes = 64;

/// What one attention consists of. A *lane* is one query row of one head; lanes whose heads share a key-value head and
/// whose rows are neighbours make a block, and one pass over the cells serves all of a block. Of few rows the block
/// is all heads, as far as there is room: their cells are then read in the order in which they lie in memory. An *item* is
/// what one thread does at a time: a block, or a share of its cells where there are too few blocks for the threads.
struct AttentionShape {
  AttentionShape(const ggml_tensor* dst, int threads);

  /// Whether the kernel knows all of it.
  static bool Known(const ggml_tensor* dst);

  int64_t key_size, value_size;  // numbers a head
  int64_t rows, heads, key_heads, streams, cells;
  int64_t windows;
  int64_t group;            // heads that share a key-value head
  int64_t block_key_heads;  // key-value heads of a block
  int64_t block_group;      // heads of each of them, in one block
  int64_t key_head_blocks;  // blocks that the key-value heads make
  int64_t group_blocks;     // blocks that a group makes
  int64_t block_rows;
  int64_t row_blocks;
  int64_t key_lanes;  // of a full block for one key-value head
  int64_t lanes;      // of a full block
  int64_t blocks;
  int64_t shares;  // of each block's cells

  // Bytes of the work buffer, in this order.
  size_t scratch_size;  // of one thread
  size_t partial_size;  // results of the shares
  size_t size;          // of all of it
};

/// The row of a mask, in half precision; null where there is none.
const uint16_t* MaskRow(const ggml_tensor* mask, int64_t stream, int64_t row);

}  // namespace llamero::kernels
