#include "model.h"

#include <algorithm>

#include "engine/grammar_cache.h"
#include "failure.h"
#include "log.h"

namespace llamero {
namespace {

struct LoadState {
  const Model::Progress& progress;
  const std::atomic<bool>& cancelled;
};

bool OnProgress(float fraction, void* data) noexcept {
  const auto* state = static_cast<LoadState*>(data);
  try {
    state->progress(fraction);
  } catch (...) {
    return false;
  }
  return !state->cancelled.load(std::memory_order_relaxed);
}

std::string PieceOf(const llama_vocab* vocab, llama_token token, bool special) {
  char buffer[256];
  const int length = llama_token_to_piece(vocab, token, buffer, sizeof buffer, 0, special);
  if (length >= 0) return std::string(buffer, length);
  std::string piece(-length, '\0');
  llama_token_to_piece(vocab, token, piece.data(), static_cast<int>(piece.size()), 0, special);
  return piece;
}

}  // namespace

std::shared_ptr<const Model> Model::Load(const ModelOptions& options, const Progress& progress,
                                         const std::atomic<bool>& cancelled) {
  LoadState state{progress, cancelled};
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = options.gpu_layers;
  params.load_mode = options.memory_map ? LLAMA_LOAD_MODE_AUTO : LLAMA_LOAD_MODE_NONE;
  params.vocab_only = options.vocabulary_only;
  params.check_tensors = options.check_tensors;
  params.progress_callback = OnProgress;
  params.progress_callback_user_data = &state;

  const LogCapture log;
  llama_model_ptr model(llama_model_load_from_file(options.path.c_str(), params));
  if (cancelled.load()) throw Failure("ERR_CANCELLED", "Loading the model was cancelled.");
  if (!model) {
    throw Failure("ERR_MODEL_REJECTED", "llama.cpp refused the model: " + log.Reason("it gave no reason") + ".");
  }
  if (llama_vocab_type(llama_model_get_vocab(model.get())) == LLAMA_VOCAB_TYPE_NONE) {
    throw Failure("ERR_MODEL_REJECTED", "The model has no vocabulary, so text can be neither read nor written.");
  }
  return std::shared_ptr<const Model>(new Model(std::move(model), options.vocabulary_only));
}

Model::~Model() = default;

Model::Model(llama_model_ptr model, bool vocabulary_only)
    : model_(std::move(model)),
      vocab_(llama_model_get_vocab(model_.get())),
      vocabulary_only_(vocabulary_only),
      grammars_(std::make_unique<GrammarCache>(*this)) {
  const int size = llama_vocab_n_tokens(vocab_);
  pieces_.reserve(size);
  for (llama_token token = 0; token < size; token++) {
    pieces_.push_back(PieceOf(vocab_, token, false));
    if (llama_vocab_is_eog(vocab_, token)) end_tokens_.push_back(token);
    const auto attributes = llama_vocab_get_attr(vocab_, token);
    if ((attributes & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN)) != 0) {
      std::string text = PieceOf(vocab_, token, true);
      if (!text.empty()) special_texts_.emplace_back(std::move(text), token);
    }
  }
  std::sort(special_texts_.begin(), special_texts_.end(),
            [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  int32_t suppressed = 0;
  const llama_token* tokens = llama_vocab_get_suppress_tokens(vocab_, &suppressed);
  for (int32_t i = 0; i < suppressed; i++) {
    if (IsToken(tokens[i])) suppressed_tokens_.push_back(tokens[i]);
  }
}

}  // namespace llamero
