#pragma once

#include <llama.h>

#include <cstdint>
#include <map>
#include <memory>

namespace llamero {

/// The CPU threads that a llama_context computes with: ggml's own pools, since without one each graph would start its
/// own. One thread at a time. Must outlive the context, or the context be detached first.
class ComputeThreads {
 public:
  /// `own_kernels`: whether llamero's kernels compute what they know, or upstream's all of it.
  explicit ComputeThreads(bool own_kernels);
  ~ComputeThreads();
  ComputeThreads(const ComputeThreads&) = delete;
  ComputeThreads& operator=(const ComputeThreads&) = delete;

  /// From now on `context` computes with that many threads. Throws Failure: ERR_OUT_OF_MEMORY.
  /// REQUIRES: the same context as before, or Detach in between.
  void Attach(llama_context* context, int threads);
  void Detach(llama_context* context);

 private:
  struct Pool;

  const bool own_kernels_;
  std::map<int, std::unique_ptr<Pool>> pools_;  // by threads
  int attached_ = 0;
};

}  // namespace llamero
