#include "kernels/attention_pass.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/cell_rows.h"
#include "kernels/few_lanes.h"
#include "kernels/live_cells.h"
#include "kernels/many_lanes.h"
#include "kernels/vector.h"

namespace llamero::kernels {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();

template <class Rows>
void ConvertRows(const char* rows, size_t stride, int64_t count, int64_t size, float* numbers) {
  for (int64_t i = 0; i < count; i++) {
    for (int64_t d = 0; d < size; d += kWidth) Store(numbers + i * size + d, Rows::At(rows + i * stride, d));
  }
}

/// kWindow rows in single precision, those beyond `count` zero.
void Convert(const ggml_tensor* tensor, const char* rows, int64_t count, float* numbers) {
  const int64_t size = tensor->ne[0];
  switch (tensor->type) {
    case GGML_TYPE_F16:
      ConvertRows<HalfRows>(rows, tensor->nb[1], count, size, numbers);
      break;
    case GGML_TYPE_BF16:
      ConvertRows<BrainRows>(rows, tensor->nb[1], count, size, numbers);
      break;
    case GGML_TYPE_Q8_0:
      ConvertRows<ByteRows>(rows, tensor->nb[1], count, size, numbers);
      break;
    default:
      ConvertRows<FloatRows>(rows, tensor->nb[1], count, size, numbers);
  }
  std::fill_n(numbers + count * size, (kWindow - count) * size, 0.0f);
}

/// Those of the window behind `rows`.
RowsAhead Ahead(const ggml_tensor* tensor, const char* rows) {
  return {rows + kWindow * tensor->nb[1], tensor->nb[1], ggml_row_size(tensor->type, tensor->ne[0]), kWindow};
}

}  // namespace

AttentionPass::AttentionPass(const ggml_tensor* dst, const AttentionShape& shape, const AttentionScratch& scratch)
    : q_(dst->src[0]), k_(dst->src[1]), v_(dst->src[2]), mask_(dst->src[3]), shape_(shape), scratch_(scratch) {
  std::memcpy(&scale_, dst->op_params, sizeof(float));
  std::memcpy(&max_bias_, dst->op_params + 1, sizeof(float));
  std::memcpy(&soft_cap_, dst->op_params + 2, sizeof(float));
  if (soft_cap_ != 0) scale_ /= soft_cap_;
}

void AttentionPass::Begin(const AttentionBlock& block, bool biased) {
  block_ = block;
  biased_ = biased;
  std::fill_n(scratch_.largest, shape_.lanes, kNone);
  std::fill_n(scratch_.sums, shape_.lanes, 0.0f);
  std::fill_n(scratch_.values, block.Lanes() * shape_.value_size, 0.0f);
  std::fill_n(scratch_.waiting_n, block.rows, 0);
  scratch_.has_queries = false;
  const int64_t heads = block.key_heads * block.group;
  for (int64_t i = 0; i < heads; i++) scratch_.slopes[i] = Slope(block.head + i);
}

/// As in the paper on ALiBi, https://arxiv.org/abs/2108.12409, and for numbers of heads that are no power of two.
float AttentionPass::Slope(int64_t head) const {
  if (max_bias_ <= 0) return 1;
  const auto whole = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(shape_.heads)));
  if (head < whole) return std::pow(std::exp2(-max_bias_ / whole), static_cast<float>(head + 1));
  return std::pow(std::exp2(-max_bias_ / 2 / whole), static_cast<float>(2 * (head - whole) + 1));
}

void AttentionPass::TakeWindow(int64_t window, const uint64_t* live) {
  const LiveRows rows = FindLiveRows(live);
  if (rows.seen == 0) return;
  // In vector operations by number of a head, weighed as measured on AVX2 and SSE4.2. Row by row, numbers are converted
  // again for each row and each few heads; together, the converted ones are written and read, and lanes fill vectors.
  const int64_t passes = (block_.group + FewLanes::kHeads - 1) / FewLanes::kHeads;
  const int64_t vectors = PaddedLanes(rows.count * block_.group) / kWidth;
  const int64_t by_row = (kConvertsHalves ? 2 : 4) * rows.seen * passes * FewLanes::kHeads / kWidth;
  const int64_t together = 3 * kWindow * vectors / 4 + 14 * kWindow / kWidth;
  if (by_row > together) return TakeTogether(window, live, rows);
  for (int64_t row = 0; row < block_.rows; row++) Gather(row, window, live[row]);
}

LiveRows AttentionPass::FindLiveRows(const uint64_t* live) const {
  LiveRows rows = {};
  for (int64_t row = 0; row < block_.rows; row++) {
    if (live[row] == 0) continue;
    if (rows.seen == 0) rows.first = row;
    rows.count = row + 1 - rows.first;
    rows.seen += std::popcount(live[row]);
  }
  return rows;
}

// Row by row.

void AttentionPass::Gather(int64_t row, int64_t window, uint64_t live) {
  int32_t* waiting = scratch_.waiting + row * kMostWaiting;
  int32_t& count = scratch_.waiting_n[row];
  for (; live != 0; live &= live - 1)
    waiting[count++] = static_cast<int32_t>(window * kWindow + std::countr_zero(live));
  if (count < 2 * kWindow) return;
  TakeCells(row, {waiting, kWindow, waiting + kWindow});
  count -= kWindow;
  std::copy_n(waiting + kWindow, count, waiting);
}

void AttentionPass::End() {
  for (int64_t row = 0; row < block_.rows; row++) {
    const int32_t* waiting = scratch_.waiting + row * kMostWaiting;
    const int64_t count = scratch_.waiting_n[row];
    const int64_t passes = (count + kWindow - 1) / kWindow;
    for (int64_t pass = 0; pass < passes; pass++) {
      // As alike as they can be, so that each can ask for as many cells as the next one takes.
      const int64_t from = count * pass / passes;
      const int64_t to = count * (pass + 1) / passes;
      const int32_t* next = waiting + to;
      int64_t left = count - to;
      if (left == 0 && row + 1 < block_.rows) {
        next = waiting + kMostWaiting;
        left = scratch_.waiting_n[row + 1];
      }
      // The rest asks for what is at hand.
      int32_t asked[kWindow];
      std::copy_n(waiting + from, to - from, asked);
      std::copy_n(next, std::min(left, to - from), asked);
      TakeCells(row, {waiting + from, to - from, asked});
    }
  }
}

void AttentionPass::TakeCells(int64_t row, const CellList& list) {
  FewLanes few;
  few.key_stride = k_->nb[1];
  few.value_stride = v_->nb[1];
  few.key_size = shape_.key_size;
  few.value_size = shape_.value_size;
  few.key_bytes = ggml_row_size(k_->type, shape_.key_size);
  few.value_bytes = ggml_row_size(v_->type, shape_.value_size);
  few.key_type = k_->type;
  few.value_type = v_->type;
  ScoreRule rule;
  rule.scale = scale_;
  rule.soft_cap = soft_cap_;
  rule.mask = biased_ ? MaskRow(mask_, block_.stream, block_.row + row) : nullptr;
  for (int64_t key_head = 0; key_head < block_.key_heads; key_head++) {
    few.keys = CellRow(k_, key_head, 0);
    few.values = CellRow(v_, key_head, 0);
    for (int64_t i = 0; i < block_.group; i += FewLanes::kHeads) {
      const int64_t head = key_head * block_.group + i;
      const int64_t lane = key_head * block_.KeyLanes() + row * block_.group + i;
      rule.slopes = scratch_.slopes + head;
      few.Take(list, std::min(FewLanes::kHeads, block_.group - i), Query(row, head), q_->nb[2] / sizeof(float), rule,
               scratch_.largest + lane, scratch_.sums + lane, scratch_.values + lane * shape_.value_size);
    }
  }
}

// A window for all lanes at once.

void AttentionPass::TakeTogether(int64_t window, const uint64_t* live, const LiveRows& rows) {
  if (!scratch_.has_queries) PackQueries();
  for (int64_t key_head = 0; key_head < block_.key_heads; key_head++) TakeKeyHead(key_head, window, live, rows);
}

void AttentionPass::TakeKeyHead(int64_t key_head, int64_t window, const uint64_t* live, const LiveRows& rows) {
  const int64_t first = window * kWindow;
  const int64_t count = std::min(kWindow, shape_.cells - first);
  const int64_t used = rows.count * block_.group;
  const int64_t lanes = PaddedLanes(used);
  const int64_t stride = PaddedLanes(block_.KeyLanes());
  const int64_t lane = key_head * block_.KeyLanes() + rows.first * block_.group;
  const char* const keys = CellRow(k_, key_head, first);
  Convert(k_, keys, count, scratch_.keys);
  const float* queries = scratch_.queries + key_head * shape_.key_size * stride + rows.first * block_.group;
  MultiplyKeys(scratch_.keys, queries, stride, shape_.key_size, lanes, scratch_.weights, Ahead(k_, keys));
  if (soft_cap_ != 0) {
    for (int64_t i = 0; i < kWindow * lanes; i += kWidth) {
      Store(scratch_.weights + i, soft_cap_ * Tanh(Load(scratch_.weights + i)));
    }
  }
  if (biased_) AddBias(key_head, window, rows);
  const uint64_t* const begin = live + rows.first;
  if (!std::all_of(begin, begin + rows.count, [](uint64_t cells) { return cells == ~uint64_t{0}; })) {
    HideDead(live, rows);
  }
  std::copy_n(scratch_.largest + lane, used, scratch_.largest_now);
  std::copy_n(scratch_.sums + lane, used, scratch_.sums_now);
  Weigh(lanes);
  std::copy_n(scratch_.largest_now, used, scratch_.largest + lane);
  std::copy_n(scratch_.sums_now, used, scratch_.sums + lane);
  float* const values = scratch_.values + lane * shape_.value_size;
  for (int64_t i = 0; i < used; i++) {
    if (scratch_.factors[i] == 1) continue;
    float* const own = values + i * shape_.value_size;
    for (int64_t d = 0; d < shape_.value_size; d += kWidth) Store(own + d, Load(own + d) * scratch_.factors[i]);
  }
  const char* const contents = CellRow(v_, key_head, first);
  Convert(v_, contents, count, scratch_.contents);
  AddValues(scratch_.weights, scratch_.contents, shape_.value_size, lanes, used, values, Ahead(v_, contents));
}

void AttentionPass::PackQueries() {
  const int64_t stride = PaddedLanes(block_.KeyLanes());
  std::fill_n(scratch_.queries, block_.key_heads * stride * shape_.key_size + kWidth, 0.0f);
  for (int64_t row = 0; row < block_.rows; row++) {
    for (int64_t head = 0; head < block_.key_heads * block_.group; head++) {
      const float* query = Query(row, head);
      float* packed =
          scratch_.queries + head / block_.group * shape_.key_size * stride + row * block_.group + head % block_.group;
      for (int64_t d = 0; d < shape_.key_size; d++) packed[d * stride] = query[d] * scale_;
    }
  }
  scratch_.has_queries = true;
}

void AttentionPass::AddBias(int64_t key_head, int64_t window, const LiveRows& rows) {
  const int64_t first = window * kWindow;
  const int64_t count = std::min(kWindow, shape_.cells - first);
  const int64_t lanes = PaddedLanes(rows.count * block_.group);
  const float* const slopes = scratch_.slopes + key_head * block_.group;
  for (int64_t row = 0; row < rows.count; row++) {
    const uint16_t* mask = MaskRow(mask_, block_.stream, block_.row + rows.first + row) + first;
    for (int64_t cell = 0; cell < count; cell++) {
      if (mask[cell] == kMinusInfinity) continue;
      const float bias = LoadOneHalf(mask + cell);
      float* scores = scratch_.weights + cell * lanes + row * block_.group;
      for (int64_t head = 0; head < block_.group; head++) scores[head] += slopes[head] * bias;
    }
  }
}

void AttentionPass::HideDead(const uint64_t* live, const LiveRows& rows) {
  const int64_t lanes = PaddedLanes(rows.count * block_.group);
  std::fill_n(scratch_.low, lanes, 0);
  std::fill_n(scratch_.high, lanes, 0);
  for (int64_t row = 0; row < rows.count; row++) {
    const uint64_t cells = live[rows.first + row];
    std::fill_n(scratch_.low + row * block_.group, block_.group, static_cast<int32_t>(cells));
    std::fill_n(scratch_.high + row * block_.group, block_.group, static_cast<int32_t>(cells >> 32));
  }
  for (int64_t cell = 0; cell < kWindow; cell++) {
    const int32_t* bits = cell < 32 ? scratch_.low : scratch_.high;
    for (int64_t lane = 0; lane < lanes; lane += kWidth) {
      float* score = scratch_.weights + cell * lanes + lane;
      Integers seen;
      std::memcpy(&seen, bits + lane, sizeof(seen));
      seen = (seen << static_cast<int>(31 - cell % 32)) >> 31;
      Store(score, Select(seen, Load(score), Broadcast(kNone)));
    }
  }
}

/// Turns a window's scores into weights relative to each lane's largest score, which may be new: then what was weighed
/// before shrinks by the lane's factor.
void AttentionPass::Weigh(int64_t lanes) {
  for (int64_t lane = 0; lane < lanes; lane += kWidth) {
    float* weights = scratch_.weights + lane;
    const Vector before = Load(scratch_.largest_now + lane);
    Vector most = before;
    for (int64_t cell = 0; cell < kWindow; cell++) most = Max(most, Load(weights + cell * lanes));
    // A lane that has seen nothing yet: relative to 0, so that minus infinity stays what it is.
    const Vector base = Select(most == kNone, Vector{}, most);
    Vector added = {};
    for (int64_t cell = 0; cell < kWindow; cell++) {
      const Vector weight = Exp(Load(weights + cell * lanes) - base);
      Store(weights + cell * lanes, weight);
      added += weight;
    }
    const Vector factor = Exp(before - base);
    Store(scratch_.factors + lane, Select(before == most, Broadcast(1), factor));
    Store(scratch_.sums_now + lane, Load(scratch_.sums_now + lane) * factor + added);
    Store(scratch_.largest_now + lane, most);
  }
}

const float* AttentionPass::Query(int64_t row, int64_t head) const {
  const char* data = static_cast<const char*>(q_->data);
  return reinterpret_cast<const float*>(data + (block_.row + row) * q_->nb[1] + (block_.head + head) * q_->nb[2] +
                                        block_.stream * q_->nb[3]);
}
const char* AttentionPass::CellRow(const ggml_tensor* tensor, int64_t key_head, int64_t cell) const {
  const char* data = static_cast<const char*>(tensor->data);
  return data + cell * tensor->nb[1] + (block_.key_head + key_head) * tensor->nb[2] + block_.stream * tensor->nb[3];
}

}  // namespace llamero::kernels
