#pragma once

#include <ggml-backend.h>
#include <llama-cpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model.h"

namespace llamero {

struct ContextOptions {
  int64_t cells = 0;
  int64_t max_sequences = 1;
  int64_t batch_size = 2048;
  int64_t micro_batch_size = 512;
  int threads = 1;
  std::string flash_attention = "auto";
  std::string key_type = "f16";
  std::string value_type = "f16";
};

/// A llama_context with its thread pool and batch: every call that llama.cpp would answer with abort() is checked here.
/// One thread at a time. CPU threads are ggml's own pool, attached once: without it each graph would start its own.
class Context {
 public:
  /// Throws Failure: ERR_OUT_OF_MEMORY, ERR_UNSUPPORTED, ERR_MODEL_REJECTED. `abort` ends a running decode early.
  Context(std::shared_ptr<const Model> model, const ContextOptions& options, const std::atomic<bool>& abort);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// What llama.cpp made of the options.
  const ContextOptions& options() const { return options_; }

  void ClearBatch();
  /// REQUIRES: fewer than options().batch_size tokens in the batch, slot < max_sequences. Returns the row's index.
  int AddToBatch(llama_token token, int64_t position, llama_seq_id slot, bool sample);
  size_t batch_tokens() const { return tokens_.size(); }

  enum class Outcome { kDone, kNoCells, kAborted, kBroken };
  /// Computes the batch. kNoCells leaves everything as it was.
  Outcome Decode(int threads);
  /// The logits of a sampled row of the last decode; may be changed. Valid until the next decode.
  std::span<float> Row(int index);

  /// Frees all cells of a slot.
  void Free(llama_seq_id slot);

 private:
  struct ThreadPool;

  void AttachThreads();
  void WarmUp();

  std::shared_ptr<const Model> model_;
  ContextOptions options_;
  std::unique_ptr<ThreadPool> pool_;  // outlives the context
  llama_context_ptr context_;
  std::vector<llama_token> tokens_;
  std::vector<llama_pos> positions_;
  std::vector<int32_t> slot_counts_;
  std::vector<llama_seq_id> slots_;
  std::vector<llama_seq_id*> slot_pointers_;
  std::vector<int8_t> outputs_;
};

}  // namespace llamero
