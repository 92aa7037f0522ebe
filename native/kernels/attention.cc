#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/attention_pass.h"
#include "kernels/attention_scratch.h"
#include "kernels/attention_shape.h"
#include "kernels/kernels.h"
#include "kernels/live_masks.h"

namespace llamero::kernels {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();

/// A fused attention that reads only cells that some row sees: one thread's view of it. Blocks, or shares of their cells,
/// are dealt out to the threads; each is one pass over the windows.
class Attention {
 public:
  Attention(const ggml_compute_params* params, ggml_tensor* dst, const AttentionShape& shape, LiveMask& live,
            uint64_t* words)
      : params_(params),
        dst_(dst),
        sinks_(dst->src[4]),
        shape_(shape),
        live_(live),
        words_(words),
        base_(Aligned(params->wdata)),
        scratch_(shape_, base_ + params->ith * shape_.scratch_size),
        pass_(dst, shape_, scratch_) {}

  void Run() {
    FindLive();
    const int64_t items = shape_.blocks * shape_.shares;
    if (shape_.rows == 1) {
      const int64_t end = items * (params_->ith + 1) / params_->nth;
      for (int64_t item = items * params_->ith / params_->nth; item < end; item++) RunItem(item);
    } else {
      for (int64_t item = params_->ith; item < items; item = ggml_threadpool_chunk_add(params_->threadpool, 1)) {
        RunItem(item);
      }
    }
    if (shape_.shares > 1) {
      ggml_barrier(params_->threadpool);
      Join();
    }
  }

 private:
  using Block = AttentionBlock;

  static char* Aligned(void* memory) {
    return reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(memory) + 63) & ~uintptr_t{63});
  }

  /// In the first layer of a graph; the others find it done.
  void FindLive() {
    const bool found = live_.found;
    if (!found) FindPart(live_, words_, params_->ith, params_->nth);
    const bool dealt = shape_.rows > 1;
    if (dealt && params_->ith == 0) ggml_threadpool_chunk_set(params_->threadpool, params_->nth);
    if (dealt || !found) ggml_barrier(params_->threadpool);
    if (!found && params_->ith == 0) live_.found = true;  // the others read it before the barrier
    biased_ = live_.biased.load(std::memory_order_relaxed);
  }

  /// Of the block's rows, for one window.
  const uint64_t* Live(const Block& block, int64_t window) const {
    return words_ + (block.stream % live_.streams * shape_.windows + window) * shape_.rows + block.row;
  }

  Block BlockAt(int64_t index) const {
    Block block;
    block.index = index;
    int64_t rest = index;
    // Heads first: the threads work on the same rows, whose cells are the same.
    const int64_t group_block = rest % shape_.group_blocks;
    rest /= shape_.group_blocks;
    block.key_head = rest % shape_.key_head_blocks * shape_.block_key_heads;
    block.key_heads = std::min(shape_.block_key_heads, shape_.key_heads - block.key_head);
    rest /= shape_.key_head_blocks;
    block.row = rest % shape_.row_blocks * shape_.block_rows;
    block.rows = std::min(shape_.block_rows, shape_.rows - block.row);
    block.stream = rest / shape_.row_blocks;
    const int64_t first = group_block * shape_.block_group;
    block.head = block.key_head * shape_.group + first;
    block.group = std::min(shape_.block_group, shape_.group - first);
    return block;
  }

  void RunItem(int64_t item) {
    const Block block = BlockAt(item / shape_.shares);
    pass_.Begin(block, biased_);

    int64_t from = 0;
    int64_t to = shape_.windows;
    if (shape_.shares > 1) Share(block, item % shape_.shares, from, to);
    for (int64_t window = from; window < to; window++) pass_.TakeWindow(window, Live(block, window));
    pass_.End();

    if (shape_.shares > 1) {
      Keep(block, item % shape_.shares);
    } else {
      for (int64_t lane = 0; lane < block.Lanes(); lane++) {
        Finish(block, lane, scratch_.largest[lane], scratch_.sums[lane], scratch_.values + lane * shape_.value_size);
      }
    }
  }

  /// The windows of one share: as many live ones for each.
  void Share(const Block& block, int64_t share, int64_t& from, int64_t& to) const {
    int64_t live = 0;
    for (int64_t window = 0; window < shape_.windows; window++) live += IsLive(block, window);
    const int64_t first = live * share / shape_.shares;
    const int64_t end = live * (share + 1) / shape_.shares;
    from = to = shape_.windows;
    int64_t seen = 0;
    for (int64_t window = 0; window < shape_.windows; window++) {
      if (!IsLive(block, window)) continue;
      if (seen == first) from = window;
      if (seen == end) {
        to = window;
        break;
      }
      seen++;
    }
    if (first == end) from = to;
  }

  bool IsLive(const Block& block, int64_t window) const {
    const uint64_t* live = Live(block, window);
    return std::any_of(live, live + block.rows, [](uint64_t cells) { return cells != 0; });
  }

  // What comes out.

  float* Partial(int64_t block, int64_t share, int64_t lane) const {
    char* partials = base_ + params_->nth * shape_.scratch_size;
    return reinterpret_cast<float*>(partials) +
           ((block * shape_.shares + share) * shape_.lanes + lane) * (2 + shape_.value_size);
  }

  void Keep(const Block& block, int64_t share) {
    for (int64_t lane = 0; lane < block.Lanes(); lane++) {
      float* partial = Partial(block.index, share, lane);
      partial[0] = scratch_.largest[lane];
      partial[1] = scratch_.sums[lane];
      std::copy_n(scratch_.values + lane * shape_.value_size, shape_.value_size, partial + 2);
    }
  }

  void Join() {
    const int64_t all = shape_.blocks * shape_.lanes;
    const int64_t end = all * (params_->ith + 1) / params_->nth;
    for (int64_t i = all * params_->ith / params_->nth; i < end; i++) {
      const Block block = BlockAt(i / shape_.lanes);
      const int64_t lane = i % shape_.lanes;
      if (lane < block.Lanes()) JoinLane(block, lane);
    }
  }

  void JoinLane(const Block& block, int64_t lane) {
    float largest = kNone;
    for (int64_t share = 0; share < shape_.shares; share++) {
      largest = std::fmax(largest, Partial(block.index, share, lane)[0]);
    }
    float sum = 0;
    float* values = scratch_.values;
    std::fill_n(values, shape_.value_size, 0.0f);
    for (int64_t share = 0; share < shape_.shares; share++) {
      const float* partial = Partial(block.index, share, lane);
      if (partial[0] == kNone) continue;
      const float factor = std::exp(partial[0] - largest);
      sum += factor * partial[1];
      for (int64_t d = 0; d < shape_.value_size; d++) values[d] += factor * partial[2 + d];
    }
    Finish(block, lane, largest, sum, values);
  }

  void Finish(const Block& block, int64_t lane, float largest, float sum, const float* values) const {
    const int64_t row = block.row + lane % block.KeyLanes() / block.group;
    const int64_t head = block.head + lane / block.KeyLanes() * block.group + lane % block.group;
    float factor = 1;
    if (sinks_ != nullptr) {
      const float sink = static_cast<const float*>(sinks_->data)[head];
      const float most = std::fmax(largest, sink);
      factor = std::exp(largest - most);
      sum = sum * factor + std::exp(sink - most);
    }
    factor = sum == 0 ? 0 : factor / sum;
    char* data = static_cast<char*>(dst_->data);
    auto* out =
        reinterpret_cast<float*>(data + ((block.stream * shape_.rows + row) * shape_.heads + head) * dst_->nb[1]);
    for (int64_t d = 0; d < shape_.value_size; d++) out[d] = values[d] * factor;
  }

  const ggml_compute_params* const params_;
  ggml_tensor* const dst_;
  const ggml_tensor* const sinks_;
  const AttentionShape& shape_;
  LiveMask& live_;
  uint64_t* const words_;
  char* const base_;
  AttentionScratch scratch_;
  AttentionPass pass_;
  bool biased_ = false;
};

}  // namespace
}  // namespace llamero::kernels

bool llamero_attention(const ggml_compute_params* params, ggml_tensor* dst) {
  using namespace llamero::kernels;
  llamero_graph* graph = ggml_threadpool_get_graph(params->threadpool);
  if (graph == nullptr || !AttentionShape::Known(dst)) return false;
  const AttentionShape shape(dst, params->nth);
  LiveMask* live = graph->masks.Find(dst, shape);
  if (live == nullptr || params->wsize < shape.size) return false;
  Attention(params, dst, shape, *live, graph->masks.Words(*live)).Run();
  return true;
}

size_t llamero_attention_plan(const ggml_tensor* dst, int threads, llamero_graph* graph) {
  using namespace llamero::kernels;
  if (graph == nullptr || !AttentionShape::Known(dst)) return 0;
  const AttentionShape shape(dst, threads);
  return graph->masks.Reserve(dst, shape) ? shape.size : 0;
}
