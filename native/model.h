#pragma once

#include <llama-cpp.h>
#include <llama.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "metadata_override.h"

namespace llamero {

class GrammarCache;

struct ModelOptions {
  std::string path;
  int gpu_layers = -1;  // -1: all; 0: the GPUs are left alone
  bool memory_map = true;
  bool vocabulary_only = false;
  bool check_tensors = false;
  bool trained_head = false;  // loads the layer that says what comes behind the next token (MTP) too
  /// Without the end of a list.
  MetadataOverrides metadata_overrides;
};

/// Loaded weights and what is derived from them once. Immutable, so every thread may read it; contexts share ownership.
class Model {
 public:
  /// Called with the fraction loaded, 0 to 1, on the loading thread.
  using Progress = std::function<void(float)>;

  ~Model();
  /// Throws Failure: ERR_MODEL_REJECTED with llama.cpp's reason, ERR_OUT_OF_MEMORY, ERR_CANCELLED, ERR_UNSUPPORTED if it
  /// has no head that can be used.
  static std::shared_ptr<const Model> Load(const ModelOptions& options, const Progress& progress,
                                           const std::atomic<bool>& cancelled);

  llama_model* get() const { return model_.get(); }
  const llama_vocab* vocab() const { return vocab_; }
  bool vocabulary_only() const { return vocabulary_only_; }
  /// Whether it was loaded with its trained head.
  bool has_head() const { return has_head_; }
  /// Whether it is nothing but the trained head of another one.
  bool is_head() const;
  /// Whether positions have several dimensions, for images.
  bool has_grid() const;

  /// Layers on GPUs, counted as ModelOptions::gpu_layers is: the last of them is the one that makes logits. 0: none.
  int gpu_layers() const { return gpu_layers_; }
  /// Of the other layers, which hold the cache, the share that lies on GPUs, 0 to 1.
  double gpu_share() const;

  int vocabulary_size() const { return static_cast<int>(pieces_.size()); }
  bool IsToken(int64_t id) const { return id >= 0 && id < vocabulary_size(); }

  /// The bytes of a token; control tokens have none. REQUIRES: IsToken(token).
  const std::string& Piece(llama_token token) const { return pieces_[token]; }
  /// The bytes of a token, special or not.
  std::string WrittenPiece(llama_token token) const;
  bool EndsGeneration(llama_token token) const { return llama_vocab_is_eog(vocab_, token); }
  const std::vector<llama_token>& end_tokens() const { return end_tokens_; }
  /// Tokens that the model's author asked never to emit.
  const std::vector<llama_token>& suppressed_tokens() const { return suppressed_tokens_; }
  /// Texts of control tokens, longest first: what a user must not be able to forge.
  const std::vector<std::pair<std::string, llama_token>>& special_texts() const { return special_texts_; }

  /// Grammars compiled for the vocabulary.
  GrammarCache& grammars() const { return *grammars_; }

  /// Held while llama.cpp changes its list of the model's adapters; see adapter.h.
  std::mutex& adapters_mutex() const { return adapters_mutex_; }

 private:
  Model(llama_model_ptr model, const ModelOptions& options);

  llama_model_ptr model_;
  const llama_vocab* vocab_;
  bool vocabulary_only_;
  bool has_head_;
  int gpu_layers_;
  std::vector<std::string> pieces_;
  std::vector<llama_token> end_tokens_;
  std::vector<llama_token> suppressed_tokens_;
  std::vector<std::pair<std::string, llama_token>> special_texts_;
  std::unique_ptr<GrammarCache> grammars_;
  mutable std::mutex adapters_mutex_;
};

}  // namespace llamero
