#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/context.h"
#include "engine/sequence.h"
#include "thread.h"

namespace llamero {

/// Decodes that are computed in slices, between the decodes of another context whose cells they fill: llama.cpp is left
/// between two operations of its graph and entered again there. It runs on a thread of its own for that, in turns with
/// the caller: while one computes the other waits.
class SlicedDecode {
 public:
  /// Most tokens of a decode: more make a prompt hardly faster, and operations longer.
  static constexpr int64_t kTokens = 64;

  /// REQUIRES: `cells` outlives it, and Memory::kPlain on CPUs. Throws Failure: ERR_OUT_OF_MEMORY.
  explicit SlicedDecode(const Context& cells);
  ~SlicedDecode();
  SlicedDecode(const SlicedDecode&) = delete;
  SlicedDecode& operator=(const SlicedDecode&) = delete;

  /// To be filled with a batch. REQUIRES: not running.
  Context& context() { return context_; }
  void Begin(int threads);
  int threads() const { return threads_; }
  /// Computes for about so many milliseconds, at least one operation. What came of the decode, if it has ended.
  /// REQUIRES: running.
  std::optional<Context::Outcome> Run(double milliseconds);
  /// How much of the decode is done, 0 to 1, by the number of operations of the one before; 0 in the first one.
  double progress() const;
  /// Tokens for a decode whose operations take so long at most, by what they took in the latest one: an operation is the
  /// least that a slice can compute, and attention takes the longer the deeper a prompt is. 4 to kTokens.
  int64_t TokensFor(double milliseconds) const;
  /// Ends the decode where it is, if there is one. What llama.cpp has taken of cells is the caller's to free.
  void Drop();

 private:
  enum class Turn { kCaller, kDecode, kEnd };

  static bool Watch(ggml_tensor* tensor, bool ask, void* data);
  bool Pause();
  void HandOver(Turn turn);
  void Main();

  Context context_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Turn turn_ = Turn::kCaller;  // guarded by mutex_; what follows belongs to whose turn it is
  bool running_ = false;
  bool dropped_ = false;
  int threads_ = 1;
  Context::Outcome outcome_ = Context::Outcome::kDone;
  double slice_ms_ = 0;
  Clock::time_point slice_began_{};
  Clock::time_point part_began_{};
  std::vector<double> parts_ms_;          // what each operation took that ended in this decode
  std::vector<double> earlier_parts_ms_;  // and in the one before
  std::unique_ptr<Thread> thread_;
};

}  // namespace llamero
