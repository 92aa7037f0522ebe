#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <vector>

#include "kernels/attention_shape.h"
#include "kernels/kernels.h"

namespace llamero::kernels {

/// Which cells the rows of one mask see: the same for every layer that has it.
struct LiveMask {
  const ggml_tensor* mask;  // null: every row sees every cell
  int64_t streams, rows, cells, windows;
  size_t offset;  // of its first word
  bool found = false;
  std::atomic<bool> biased = false;  // it adds more than 0 to what it leaves to be seen
};

/// The masks of one graph. The first layer that needs one finds its live cells, the others take them from here.
///
/// Planned by one thread, before the threads compute; `found` is set by one of them between two barriers, so that in one
/// operation all of them see the same.
class LiveMasks {
 public:
  /// A new graph: its tensors may lie where the last one's lay.
  void Begin();
  /// Makes room for the mask of an attention; false where memory ran out.
  bool Reserve(const ggml_tensor* attention, const AttentionShape& shape);
  /// Null if no room was made for it.
  LiveMask* Find(const ggml_tensor* attention, const AttentionShape& shape);
  /// [streams][windows][rows], a bit a cell.
  uint64_t* Words(const LiveMask& live) { return words_.data() + live.offset; }

 private:
  std::deque<LiveMask> masks_;
  std::vector<uint64_t> words_;
};

/// The part `part` of `parts` of a mask's rows.
void FindPart(LiveMask& live, uint64_t* words, int64_t part, int64_t parts);

}  // namespace llamero::kernels

struct llamero_graph {
  llamero::kernels::LiveMasks masks;
};
