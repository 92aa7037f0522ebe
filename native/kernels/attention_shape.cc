#include "kernels/attention_shape.h"

#include <algorithm>

#include "kernels/attention_scratch.h"

namespace llamero::kernels {
namespace {

// The second cache, of 512 KiB on many processors, holds two windows of a block, the one at hand, with which several rows
// take turns, and the next one, which is asked for meanwhile, and the block's queries and results.
constexpr int64_t kMostWindowBytes = 128 << 10;
constexpr int64_t kMostLaneBytes = 256 << 10;

// Results of shares are written and read again, which must stay little beside the cells: so many lanes at most for all
// threads together, unless a block is one key-value head.
constexpr int64_t kMostSharedLanes = 2048;

int64_t Quotient(int64_t a, int64_t b) { return (a + b - 1) / b; }

bool KnownRows(const ggml_tensor* rows) {
  const bool type = rows->type == GGML_TYPE_F16 || rows->type == GGML_TYPE_BF16 || rows->type == GGML_TYPE_F32 ||
                    rows->type == GGML_TYPE_Q8_0;
  return type && rows->nb[0] == ggml_type_size(rows->type) && rows->ne[0] % std::max(kWidth, 8) == 0;
}

}  // namespace

bool AttentionShape::Known(const ggml_tensor* dst) {
  const ggml_tensor* q = dst->src[0];
  const ggml_tensor* k = dst->src[1];
  const ggml_tensor* v = dst->src[2];
  const ggml_tensor* mask = dst->src[3];
  if (q->type != GGML_TYPE_F32 || q->nb[0] != sizeof(float) || !KnownRows(k) || !KnownRows(v)) return false;
  if (k->ne[2] != v->ne[2] || q->ne[2] % k->ne[2] != 0 || k->ne[3] != q->ne[3] || v->ne[3] != q->ne[3]) return false;
  return mask == nullptr || (mask->type == GGML_TYPE_F16 && mask->ne[2] == 1 && mask->nb[0] == sizeof(uint16_t));
}

AttentionShape::AttentionShape(const ggml_tensor* dst, int threads) {
  const ggml_tensor* q = dst->src[0];
  const ggml_tensor* k = dst->src[1];
  key_size = k->ne[0];
  value_size = dst->src[2]->ne[0];
  rows = q->ne[1];
  heads = q->ne[2];
  key_heads = k->ne[2];
  streams = q->ne[3];
  cells = k->ne[1];
  windows = Quotient(cells, kWindow);

  group = heads / key_heads;
  group_blocks = Quotient(group, kMostLanes);
  block_group = Quotient(group, group_blocks);
  block_rows = std::min(rows, kMostLanes / block_group);
  row_blocks = Quotient(rows, block_rows);
  key_lanes = block_rows * block_group;
  block_key_heads = 1;
  if (group_blocks == 1 && row_blocks == 1) {
    const auto lane_bytes = static_cast<int64_t>((key_size + value_size) * sizeof(float));
    block_key_heads = std::min(kMostLaneBytes / lane_bytes, kMostSharedLanes / threads) / key_lanes;
    if (rows > 1) {
      const size_t cell_bytes = ggml_row_size(k->type, key_size) + ggml_row_size(dst->src[2]->type, value_size);
      block_key_heads = std::min(block_key_heads, kMostWindowBytes / static_cast<int64_t>(kWindow * cell_bytes));
    }
    block_key_heads = std::clamp(block_key_heads, int64_t{1}, key_heads);
  }
  key_head_blocks = Quotient(key_heads, block_key_heads);
  lanes = block_key_heads * key_lanes;
  blocks = streams * key_head_blocks * group_blocks * row_blocks;

  // One row's items are dealt out evenly, many rows' are taken as threads come free: some more of them then.
  const int64_t wanted = rows == 1 ? threads : 3 * threads;
  shares = 1;
  while (shares < windows && blocks * shares < wanted && (rows > 1 || blocks * shares % threads != 0)) shares++;

  scratch_size = AttentionScratch::Size(*this);
  partial_size = shares == 1 ? 0 : blocks * shares * lanes * (2 + value_size) * sizeof(float);
  size = 64 + threads * scratch_size + partial_size;
}

const uint16_t* MaskRow(const ggml_tensor* mask, int64_t stream, int64_t row) {
  if (mask == nullptr) return nullptr;
  const char* data = static_cast<const char*>(mask->data);
  return reinterpret_cast<const uint16_t*>(data + row * mask->nb[1] + stream % mask->ne[3] * mask->nb[3]);
}

}  // namespace llamero::kernels
