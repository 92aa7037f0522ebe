#include "engine/sliced_decode.h"

#include <ggml.h>

#include <algorithm>

namespace llamero {
namespace {

/// Whether a slice may end behind it. What lies between takes next to nothing.
bool IsLong(const ggml_tensor* tensor) {
  return tensor->op == GGML_OP_MUL_MAT || tensor->op == GGML_OP_MUL_MAT_ID || tensor->op == GGML_OP_FLASH_ATTN_EXT;
}

}  // namespace

SlicedDecode::SlicedDecode(const Context& cells)
    : context_(cells, kTokens, Watch, this), thread_(std::make_unique<Thread>([this] { Main(); })) {}

SlicedDecode::~SlicedDecode() {
  if (running_) Drop();
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
  part_ = 0;
}

std::optional<Context::Outcome> SlicedDecode::Run(double milliseconds) {
  slice_ms_ = milliseconds;
  slice_began_ = part_began_ = Clock::now();
  HandOver(Turn::kDecode);
  if (running_) return std::nullopt;
  return outcome_;
}

double SlicedDecode::progress() const {
  return static_cast<double>(part_) / static_cast<double>(std::max<size_t>(1, parts_ms_.size()));
}

void SlicedDecode::Drop() {
  dropped_ = true;
  if (part_ > 0) HandOver(Turn::kDecode);  // else it has not entered llama.cpp yet
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
      outcome_ = context_.Decode(threads_);
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
  const auto now = Clock::now();
  if (part_ == parts_ms_.size()) parts_ms_.push_back(0);
  parts_ms_[part_] = MillisecondsBetween(part_began_, now);
  part_++;
  part_began_ = now;
  const double next = part_ < parts_ms_.size() ? parts_ms_[part_] : 0;
  if (MillisecondsBetween(slice_began_, now) + next / 2 >= slice_ms_) HandOver(Turn::kCaller);
  return !dropped_;
}

}  // namespace llamero
