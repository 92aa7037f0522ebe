#include "kernels/live_masks.h"

#include <algorithm>
#include <memory>
#include <new>

#include "kernels/live_cells.h"

namespace llamero::kernels {

void LiveMasks::Begin() { masks_.clear(); }

bool LiveMasks::Reserve(const ggml_tensor* attention, const AttentionShape& shape) try {
  if (Find(attention, shape) != nullptr) return true;
  size_t offset = 0;
  for (const LiveMask& other : masks_) offset += other.streams * other.windows * other.rows;
  const ggml_tensor* mask = attention->src[3];
  const int64_t streams = mask == nullptr ? 1 : mask->ne[3];
  const size_t end = offset + streams * shape.windows * shape.rows;
  if (words_.size() < end) words_.resize(end);
  LiveMask& live = masks_.emplace_back();
  live.mask = mask;
  live.streams = streams;
  live.rows = shape.rows;
  live.cells = shape.cells;
  live.windows = shape.windows;
  live.offset = offset;
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

LiveMask* LiveMasks::Find(const ggml_tensor* attention, const AttentionShape& shape) {
  const auto found = std::find_if(masks_.begin(), masks_.end(), [&](const LiveMask& live) {
    return live.mask == attention->src[3] && live.rows == shape.rows && live.cells == shape.cells;
  });
  return found == masks_.end() ? nullptr : &*found;
}

void FindPart(LiveMask& live, uint64_t* words, int64_t part, int64_t parts) {
  bool biased = false;
  const int64_t all = live.streams * live.rows;
  const int64_t end = all * (part + 1) / parts;
  for (int64_t i = all * part / parts; i < end; i++) {
    const int64_t stream = i / live.rows;
    const int64_t row = i % live.rows;
    const uint16_t* mask = MaskRow(live.mask, stream, row);
    for (int64_t window = 0; window < live.windows; window++) {
      const int64_t first = window * kWindow;
      const LiveCells cells =
          FindLiveCells(mask == nullptr ? nullptr : mask + first, std::min(kWindow, live.cells - first));
      words[(stream * live.windows + window) * live.rows + row] = cells.cells;
      biased |= cells.biased;
    }
  }
  if (biased) live.biased.store(true, std::memory_order_relaxed);
}

}  // namespace llamero::kernels

void llamero_graph_begin(llamero_graph** graph) {
  if (*graph == nullptr) *graph = std::unique_ptr<llamero_graph>(new (std::nothrow) llamero_graph).release();
  if (*graph != nullptr) (*graph)->masks.Begin();
}

void llamero_graph_free(llamero_graph* graph) { const std::unique_ptr<llamero_graph> owned(graph); }
