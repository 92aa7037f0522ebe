#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "embedder/embedding_context.h"
#include "embedder/packing.h"
#include "embedder/pooling.h"
#include "model.h"
#include "thread.h"

namespace llamero {

struct EmbedderOptions {
  int64_t context_size = 0;  // most tokens of one input
  int64_t batch_size = 512;  // tokens that short inputs are packed up to
  int64_t max_inputs = 1;    // of one step
  bool splits = false;       // whether a long input may be computed in pieces: causal models
  int threads = 1;
  std::string flash_attention = "auto";
  bool own_kernels = true;
};

struct EmbedRequest {
  std::vector<llama_token> tokens;  // of all inputs, one after the other
  std::vector<int64_t> lengths;     // of each input
  Pooling pooling = Pooling::kMean;
  bool normalize = true;
  int64_t dimensions = 0;  // numbers kept of each vector; 0: all
  std::shared_ptr<const std::atomic<bool>> cancelled;
};

struct EmbedderStats {
  int64_t steps = 0;
  int64_t inputs = 0;
  int64_t tokens = 0;
  int64_t waiting = 0;
  double compute_ms = 0;
};

/// Turns inputs into vectors on a thread of its own. Inputs of all callers share steps, in order of arrival.
///
/// Rules of threads and teardown, cited below:
/// B1  Only the embedder's thread touches the context and what a task has computed; other threads touch the queue.
/// B2  The context is made by the first step that needs it, and made anew when an input needs a larger one or the head
///     changes. A context that failed is given up, so that the next step makes another.
/// B3  A cancelled request takes part in no further step. A step is cut short only when every request in it was
///     cancelled, or the embedder closes.
/// B4  From Stop on nothing is accepted and everything that waits ends with ERR_DISPOSED; Close also joins the thread
///     and lets go of the model. Both are idempotent.
/// B5  What a step throws ends the requests in it, not the process.
class Embedder {
 public:
  Embedder(std::shared_ptr<const Model> model, const EmbedderOptions& options);
  ~Embedder();
  Embedder(const Embedder&) = delete;
  Embedder& operator=(const Embedder&) = delete;

  /// Waits its turn, computes, and returns the vectors one after the other: with kNone one per token, with kRank the
  /// scores. Throws Failure: ERR_CANCELLED, ERR_DISPOSED, ERR_OUT_OF_MEMORY, ERR_UNSUPPORTED, ERR_ENGINE_CRASHED.
  /// REQUIRES: lengths of 1 to options().context_size, together the number of tokens; not called on the embedder's or
  /// the JavaScript thread.
  std::vector<float> Run(EmbedRequest request);

  const EmbedderOptions& options() const { return options_; }
  EmbedderStats Stats() const;
  void Stop();
  /// REQUIRES: not called on the embedder's thread.
  void Close();

 private:
  struct Task;
  using Tasks = std::vector<std::shared_ptr<Task>>;
  struct Step;

  void Work();
  void ComputeNext(const Tasks& tasks);
  Step PlanNext(const Tasks& tasks) const;
  void RequireContext(bool rank, int64_t length);
  void Collect(const Step& step);
  bool ShouldAbort() const;
  void Settle(const std::shared_ptr<Task>& task, std::exception_ptr failure);

  std::shared_ptr<const Model> model_;
  EmbedderOptions options_;
  std::unique_ptr<EmbeddingContext> context_;
  Tasks participants_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Task>> queue_;
  EmbedderStats stats_;
  std::atomic<bool> closing_ = false;

  std::mutex close_mutex_;
  std::unique_ptr<Thread> thread_;
};

}  // namespace llamero
