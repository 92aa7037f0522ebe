#pragma once

#include <ggml.h>
#include <llama.h>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

namespace llamero {

/// ggml's own pools of CPU threads, by their size. Contexts that compute in turns share them: the threads of a pool spin
/// for a while when they are done, and would take the cores from those of another context's pool.
class ThreadPools {
 public:
  /// `own_kernels`: whether llamero's kernels compute what they know, or upstream's all of it.
  explicit ThreadPools(bool own_kernels);
  ~ThreadPools();
  ThreadPools(const ThreadPools&) = delete;
  ThreadPools& operator=(const ThreadPools&) = delete;

  /// Throws Failure: ERR_OUT_OF_MEMORY.
  ggml_threadpool_t Of(int threads);

 private:
  struct Pool;

  const bool own_kernels_;
  std::map<int, std::unique_ptr<Pool>> pools_;
};

/// The CPU threads that a llama_context computes with, since without a pool each graph would start its own. One thread at
/// a time. Must outlive the context, or the context be detached first.
class ComputeThreads {
 public:
  explicit ComputeThreads(std::shared_ptr<ThreadPools> pools) : pools_(std::move(pools)) {}
  ComputeThreads(const ComputeThreads&) = delete;
  ComputeThreads& operator=(const ComputeThreads&) = delete;

  /// From now on `context` computes with that many threads. Throws Failure: ERR_OUT_OF_MEMORY.
  /// REQUIRES: the same context as before, or Detach in between.
  void Attach(llama_context* context, int threads);
  void Detach(llama_context* context);

  const std::shared_ptr<ThreadPools>& pools() const { return pools_; }

 private:
  std::shared_ptr<ThreadPools> pools_;
  int attached_ = 0;
};

}  // namespace llamero
