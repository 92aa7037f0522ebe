#pragma once

#include <cstdint>

#include "kernels/attention_scratch.h"
#include "kernels/attention_shape.h"
#include "kernels/few_lanes.h"

namespace llamero::kernels {

/// What a block covers. Lanes are numbered by key-value head, row and head: [key_heads][rows][group].
struct AttentionBlock {
  int64_t index, stream, row, rows, key_head, key_heads, head, group;

  int64_t KeyLanes() const { return rows * group; }
  int64_t Lanes() const { return key_heads * KeyLanes(); }
};

/// Neighbouring rows of a block, from the first that sees something of a window to the last.
struct LiveRows {
  int64_t first, count;
  int64_t seen;  // cells, of all of them together
};

/// Takes the cells of a block into a thread's scratch memory, window by window: the online softmax of
/// https://arxiv.org/abs/2112.05682.
///
/// A window that most lanes of a block see is taken by matrix products, one key-value head after the other; cells that few
/// of them see are gathered and taken row by row, for all heads that share the keys.
class AttentionPass {
 public:
  AttentionPass(const ggml_tensor* dst, const AttentionShape& shape, const AttentionScratch& scratch);

  /// `biased`: whether a mask adds more than 0 to what it leaves to be seen.
  void Begin(const AttentionBlock& block, bool biased);
  /// `live`: which cells of the window each row of the block sees.
  void TakeWindow(int64_t window, const uint64_t* live);
  /// Takes what was gathered.
  void End();

 private:
  float Slope(int64_t head) const;
  void Gather(int64_t row, int64_t window, uint64_t live);
  void TakeCells(int64_t row, const CellList& list);
  LiveRows FindLiveRows(const uint64_t* live) const;
  void TakeTogether(int64_t window, const uint64_t* live, const LiveRows& rows);
  void TakeKeyHead(int64_t key_head, int64_t window, const uint64_t* live, const LiveRows& rows);
  void PackQueries();
  void AddBias(int64_t key_head, int64_t window, const LiveRows& rows);
  void HideDead(const uint64_t* live, const LiveRows& rows);
  void Weigh(int64_t lanes);
  const float* Query(int64_t row, int64_t head) const;
  const char* CellRow(const ggml_tensor* tensor, int64_t key_head, int64_t cell) const;

  const ggml_tensor* const q_;
  const ggml_tensor* const k_;
  const ggml_tensor* const v_;
  const ggml_tensor* const mask_;
  const AttentionShape& shape_;
  AttentionScratch scratch_;
  AttentionBlock block_;
  float scale_, max_bias_, soft_cap_;
  bool biased_ = false;
};

}  // namespace llamero::kernels
