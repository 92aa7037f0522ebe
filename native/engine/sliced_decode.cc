#include "engine/sliced_decode.h"

#include <ggml.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <utility>

namespace llamero {
namespace {

// With fewer a pass over all weights brings too little.
constexpr int64_t kLeastTokens = 4;

// Operations repeat in every layer: what but a few of them took was the machine's doing.
constexpr std::ptrdiff_t kOutliers = 3;

/// Whether a slice may end behind it. What lies between takes next to nothing.
bool IsLong(const ggml_tensor* tensor) {
  return tensor->op == GGML_OP_MUL_MAT || tensor->op == GGML_OP_MUL_MAT_ID || tensor->op == GGML_OP_FLASH_ATTN_EXT;
}

}  // namespace

SlicedDecode::SlicedDecode(const Context& cells)
    : context_(cells, kTokens, Watch, this), thread_(std::make_unique<Thread>([this] { Main(); })) {}

SlicedDecode::~SlicedDecode() {
  Drop();
  {
    const std::lock_guard lock(mutex_);
    turn_ = Turn::kEnd;
  }
  changed_.notify_all();
  thread_->Join();
}

void SlicedDecode::Begin(int threads) {
  threads_ = threads;
  running_ = true;
  dropped_ = false;
  earlier_parts_ms_ = std::exchange(parts_ms_, {});
}

std::optional<Context::Outcome> SlicedDecode::Run(double milliseconds) {
  slice_ms_ = milliseconds;
  slice_began_ = part_began_ = Clock::now();
  HandOver(Turn::kDecode);
  if (running_) return std::nullopt;
  return outcome_;
}

double SlicedDecode::progress() const {
  if (earlier_parts_ms_.empty()) return 0;
  return std::min(1.0, static_cast<double>(parts_ms_.size()) / static_cast<double>(earlier_parts_ms_.size()));
}

int64_t SlicedDecode::TokensFor(double milliseconds) const {
  if (parts_ms_.empty()) return kTokens;
  std::vector<double> parts = parts_ms_;
  const auto longest = parts.begin() + std::min<std::ptrdiff_t>(kOutliers, std::ssize(parts) - 1);
  std::nth_element(parts.begin(), longest, parts.end(), std::greater<>());
  const double tokens = static_cast<double>(context_.batch_tokens()) * milliseconds / std::max(*longest, 1e-6);
  return static_cast<int64_t>(std::clamp(tokens, static_cast<double>(kLeastTokens), static_cast<double>(kTokens)));
}

void SlicedDecode::Drop() {
  if (!running_) return;
  dropped_ = true;
  if (!parts_ms_.empty()) HandOver(Turn::kDecode);  // else it has not entered llama.cpp yet
  running_ = false;
}

/// Gives the turn away, and waits until it comes back.
void SlicedDecode::HandOver(Turn turn) {
  std::unique_lock lock(mutex_);
  const Turn mine = turn_;
  turn_ = turn;
  changed_.notify_all();
  changed_.wait(lock, [&] { return turn_ == mine; });
}

void SlicedDecode::Main() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return turn_ != Turn::kCaller; });
      if (turn_ == Turn::kEnd) return;
    }
    try {
      outcome_ = context_.Compute(threads_);
      if (outcome_ == Context::Outcome::kDone && !dropped_) context_.FollowWithHeads(threads_);
    } catch (...) {
      // An exception from inside llama.cpp leaves its state unknown: the same as a failed compute.
      outcome_ = Context::Outcome::kBroken;
    }
    running_ = false;
    {
      const std::lock_guard lock(mutex_);
      turn_ = Turn::kCaller;
    }
    changed_.notify_all();
  }
}

/// llama.cpp asks of each operation whether it shall stop behind it (`ask`), and then whether to go on.
bool SlicedDecode::Watch(ggml_tensor* tensor, bool ask, void* data) {
  return ask ? IsLong(tensor) : static_cast<SlicedDecode*>(data)->Pause();
}

/// An operation has ended. The slice ends where it comes nearest to its time, if the next one takes as long as it did in
/// the latest decode.
bool SlicedDecode::Pause() {
  if (dropped_) return false;
  const auto now = Clock::now();
  parts_ms_.push_back(MillisecondsBetween(part_began_, now));
  part_began_ = now;
  const size_t next = parts_ms_.size();
  const double next_ms = next < earlier_parts_ms_.size() ? earlier_parts_ms_[next] : 0;
  if (MillisecondsBetween(slice_began_, now) + next_ms / 2 >= slice_ms_) HandOver(Turn::kCaller);
  return !dropped_;
}

}  // namespace llamero
