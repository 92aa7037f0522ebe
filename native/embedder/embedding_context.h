#pragma once

#include <llama-cpp.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/compute_threads.h"
#include "model.h"

namespace llamero {

struct EmbeddingContextOptions {
  bool rank = false;       // the model's classifier behind the pooling, instead of the tokens' vectors
  int64_t batch_size = 0;  // tokens of one step
  int64_t cells = 0;       // tokens that are remembered, for models with a memory
  int64_t max_inputs = 1;  // of one step
  int threads = 1;
  std::string flash_attention = "auto";
  bool own_kernels = true;
};

/// A llama_context whose outputs are vectors. Encoders have no KV cache in it. One thread at a time; what llama.cpp would
/// answer with abort() is checked here.
class EmbeddingContext {
 public:
  /// `should_abort` is asked while a step is computed, on the thread that computes, and must not throw.
  /// Throws Failure: ERR_OUT_OF_MEMORY, ERR_UNSUPPORTED.
  EmbeddingContext(std::shared_ptr<const Model> model, const EmbeddingContextOptions& options,
                   std::function<bool()> should_abort);
  ~EmbeddingContext();
  EmbeddingContext(const EmbeddingContext&) = delete;
  EmbeddingContext& operator=(const EmbeddingContext&) = delete;

  const EmbeddingContextOptions& options() const { return options_; }
  /// Numbers of a row.
  size_t width() const { return width_; }

  /// Tokens of one input from position `from` on.
  struct Piece {
    std::span<const llama_token> tokens;
    int64_t from = 0;
  };
  /// One step. False: `should_abort` ended it. Throws Failure: ERR_ENGINE_CRASHED; then the context is done for.
  /// REQUIRES: a piece that does not begin its input is alone and goes on from the step before.
  bool Compute(std::span<const Piece> pieces);
  /// After Compute: the vector of a token, counted over all pieces. REQUIRES: not options().rank.
  std::span<const float> TokenRow(size_t token);
  /// After Compute: what the classifier made of a piece. REQUIRES: options().rank.
  std::span<const float> ScoreRow(size_t piece);

 private:
  static bool ShouldAbort(void* data) noexcept;
  void CheckScores();

  std::shared_ptr<const Model> model_;
  EmbeddingContextOptions options_;
  std::function<bool()> should_abort_;
  size_t width_;
  ComputeThreads threads_{std::make_shared<ThreadPools>(options_.own_kernels)};  // outlive the context
  llama_context_ptr context_;
};

}  // namespace llamero
