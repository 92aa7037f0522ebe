#include "model.h"

#include <ggml-backend.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/grammar_cache.h"
#include "failure.h"
#include "log.h"
#include "model_heads.h"

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

/// `tensors` reads "tensor 'output.weight'" and so on.
void RefuseTensors(const std::vector<std::string>& tensors) {
  if (tensors.empty()) return;
  constexpr size_t kMostNamed = 16;
  std::string named;
  for (size_t i = 0; i < std::min(tensors.size(), kMostNamed); i++) named += (i == 0 ? "" : ", ") + tensors[i];
  if (tensors.size() > kMostNamed) named += " and " + std::to_string(tensors.size() - kMostNamed) + " more";
  throw Failure("ERR_MODEL_INVALID", "The model file is not valid: it holds weights that are no numbers in " + named +
                                         "; fetch it again, or ask its maker.");
}

bool HasGpu() {
  return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_GPU) != nullptr ||
         ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_IGPU) != nullptr;
}

int LayersOnGpus(const llama_model* model, const ModelOptions& options) {
  if (options.vocabulary_only || !HasGpu()) return 0;
  const int all = llama_model_n_layer(model) + 1;
  return options.gpu_layers < 0 ? all : std::min(options.gpu_layers, all);
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
  // With a GPU in its list llama.cpp copies weights there for large batches and takes memory for that, without any layer.
  ggml_backend_dev_t no_devices[] = {nullptr};
  if (options.gpu_layers == 0) params.devices = no_devices;
  params.load_mode = options.memory_map ? LLAMA_LOAD_MODE_AUTO : LLAMA_LOAD_MODE_NONE;
  params.vocab_only = options.vocabulary_only;
  params.load_mtp = options.trained_head;
  params.check_tensors = options.check_tensors;
  // Repacked weights are checked one by one, up to the first that is wrong.
  params.use_extra_bufts = !options.check_tensors;
  MetadataOverrides overrides = options.metadata_overrides;
  overrides.push_back(NoOverride());
  params.kv_overrides = overrides.data();
  params.progress_callback = OnProgress;
  params.progress_callback_user_data = &state;

  const LogCapture log;
  llama_model_ptr model(llama_model_load_from_file(options.path.c_str(), params));
  if (cancelled.load()) throw Failure("ERR_CANCELLED", "Loading the model was cancelled.");
  if (!model && options.check_tensors) RefuseTensors(log.LinesEndingIn(" has invalid data"));
  if (!model && log.SaysOutOfMemory()) {
    throw Failure("ERR_OUT_OF_MEMORY", "There is no memory for the weights: " + log.Reason("it gave no reason") +
                                           ". Choose a smaller model, or keep fewer layers on a GPU (gpuLayers).");
  }
  if (!model) {
    throw Failure("ERR_MODEL_REJECTED", "llama.cpp refused the model: " + log.Reason("it gave no reason") + ".");
  }
  if (llama_vocab_type(llama_model_get_vocab(model.get())) == LLAMA_VOCAB_TYPE_NONE) {
    throw Failure("ERR_MODEL_REJECTED", "The model has no vocabulary, so text can be neither read nor written.");
  }
  if (!options.vocabulary_only) RequireTrunk(model.get());
  if (options.trained_head) RequireHead(model.get());
  return std::shared_ptr<const Model>(new Model(std::move(model), options));
}

std::string Model::WrittenPiece(llama_token token) const { return PieceOf(vocab_, token, true); }

Model::~Model() = default;

Model::Model(llama_model_ptr model, const ModelOptions& options)
    : model_(std::move(model)),
      vocab_(llama_model_get_vocab(model_.get())),
      vocabulary_only_(options.vocabulary_only),
      has_head_(options.trained_head),
      gpu_layers_(LayersOnGpus(model_.get(), options)),
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

bool Model::is_head() const { return IsHeadAlone(model_.get()); }

bool Model::has_grid() const {
  const llama_rope_type type = llama_model_rope_type(model_.get());
  return type == LLAMA_ROPE_TYPE_MROPE || type == LLAMA_ROPE_TYPE_IMROPE;
}

double Model::gpu_share() const {
  const int layers = llama_model_n_layer(model_.get());
  return layers > 0 ? std::max(0.0, (gpu_layers_ - 1.0) / layers) : 0;
}

}  // namespace llamero
