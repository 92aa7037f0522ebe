#include "embedder/embedding_context.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "failure.h"
#include "flash_attention.h"
#include "free_memory.h"
#include "log.h"

namespace llamero {
namespace {

/// About what the context will take: the attention mask grows with the square of a step, and llama.cpp computes logits
/// for every token of a model that has any.
size_t EstimatedBytes(const llama_model* model, int vocabulary, const EmbeddingContextOptions& options) {
  const auto batch = static_cast<size_t>(options.batch_size);
  const auto cells = static_cast<size_t>(std::max(options.batch_size, options.cells));
  const auto width = static_cast<size_t>(llama_model_n_embd(model));
  const size_t heads = options.flash_attention == "off" ? std::max(1, llama_model_n_head(model)) : 1;
  const size_t attention = batch * cells * sizeof(float) * (1 + heads);
  const size_t activations = batch * width * sizeof(float) * 16;
  const size_t memory = options.cells > 0 ? cells * llama_model_n_layer(model) * width * 2 * sizeof(uint16_t) : 0;
  const size_t logits = options.cells > 0 ? batch * vocabulary * 2 * sizeof(float) : 0;
  return attention + activations + memory + logits;
}

void RequireMemory(const Model& model, const EmbeddingContextOptions& options) {
  constexpr size_t kMebibyte = size_t{1} << 20;
  const size_t needed = EstimatedBytes(model.get(), model.vocabulary_size(), options);
  const auto free_bytes = static_cast<size_t>(FreeMemoryFor(model.gpu_share()));
  if (free_bytes == 0 || needed < free_bytes) return;
  throw Failure("ERR_OUT_OF_MEMORY", "Embedding " + std::to_string(std::max(options.batch_size, options.cells)) +
                                         " tokens at once needs some " + std::to_string(needed / kMebibyte) +
                                         " MiB, but " + std::to_string(free_bytes / kMebibyte) +
                                         " MiB are free. Lower contextSize or shorten the input.");
}

}  // namespace

EmbeddingContext::EmbeddingContext(std::shared_ptr<const Model> model, const EmbeddingContextOptions& options,
                                   std::function<bool()> should_abort)
    : model_(std::move(model)), options_(options), should_abort_(std::move(should_abort)) {
  const uint32_t classes = llama_model_n_cls_out(model_->get());
  // llama.cpp takes that many numbers from a row of the model's width, whether there is a classifier or not.
  if (options.rank && (classes < 1 || classes > static_cast<uint32_t>(llama_model_n_embd(model_->get())))) {
    throw Failure("ERR_UNSUPPORTED", "The classifier of this model has " + std::to_string(classes) +
                                         " labels, which is more than its vectors have numbers.");
  }
  width_ = options.rank ? classes : llama_model_n_embd_out(model_->get());
  RequireMemory(*model_, options);

  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<uint32_t>(std::max(options.batch_size, options.cells));
  params.n_batch = static_cast<uint32_t>(options.batch_size);
  params.n_ubatch = params.n_batch;
  params.n_seq_max = static_cast<uint32_t>(options.max_inputs);
  params.n_outputs_max = params.n_batch;
  params.n_threads = options.threads;
  params.n_threads_batch = options.threads;
  params.pooling_type = options.rank ? LLAMA_POOLING_TYPE_RANK : LLAMA_POOLING_TYPE_NONE;
  params.flash_attn_type = FlashAttention(options.flash_attention);
  params.embeddings = true;
  params.kv_unified = true;
  params.no_perf = true;
  params.abort_callback = ShouldAbort;
  params.abort_callback_data = this;

  const LogCapture log;
  context_.reset(llama_init_from_model(model_->get(), params));
  if (!context_ && log.SaysOutOfMemory()) {
    throw Failure("ERR_OUT_OF_MEMORY", "There is no memory for the context: " + log.Reason("it gave no reason") +
                                           ". Lower contextSize, or keep fewer layers on a GPU (gpuLayers).");
  }
  if (!context_) {
    throw Failure("ERR_UNSUPPORTED", "llama.cpp could not make a context: " + log.Reason("it gave no reason") + ".");
  }
  options_.batch_size = std::min(llama_n_batch(context_.get()), llama_n_ubatch(context_.get()));
  options_.cells = llama_n_ctx(context_.get());
  threads_.Attach(context_.get(), options_.threads);
  if (options_.rank) CheckScores();
}

EmbeddingContext::~EmbeddingContext() {
  if (context_) threads_.Detach(context_.get());
}

bool EmbeddingContext::ShouldAbort(void* data) noexcept {
  return static_cast<const EmbeddingContext*>(data)->should_abort_();
}

/// Where a model has no output layer behind its classifier (jina-reranker-v1), llama.cpp takes the scores of all inputs
/// but the first out of the first one's row. Two equal inputs tell: then each gets a step for itself.
void EmbeddingContext::CheckScores() {
  if (options_.max_inputs < 2) return;
  const llama_token bos = llama_vocab_bos(model_->vocab());
  const llama_token token = model_->IsToken(bos) ? bos : 0;
  const Piece piece{.tokens = {&token, 1}};
  if (!Compute(std::vector<Piece>{piece, piece})) return;
  const float first = ScoreRow(0).front();
  const float second = ScoreRow(1).front();
  if (!(std::abs(first - second) <= 1e-3f * std::max(1.0f, std::abs(first)))) options_.max_inputs = 1;
}

bool EmbeddingContext::Compute(std::span<const Piece> pieces) {
  std::vector<llama_token> tokens;
  std::vector<llama_pos> positions;
  std::vector<llama_seq_id> inputs;
  for (const Piece& piece : pieces) {
    const auto input = static_cast<llama_seq_id>(&piece - pieces.data());
    tokens.insert(tokens.end(), piece.tokens.begin(), piece.tokens.end());
    inputs.insert(inputs.end(), piece.tokens.size(), input);
    positions.resize(tokens.size());
    std::iota(positions.end() - static_cast<ptrdiff_t>(piece.tokens.size()), positions.end(),
              static_cast<llama_pos>(piece.from));
  }
  if (tokens.empty() || static_cast<int64_t>(tokens.size()) > options_.batch_size ||
      static_cast<int64_t>(pieces.size()) > options_.max_inputs) {
    throw Failure("ERR_INTERNAL", "A step of embeddings was built beyond its limits.");
  }
  std::vector<int32_t> counts(tokens.size(), 1);
  std::vector<int8_t> outputs(tokens.size(), 1);
  std::vector<llama_seq_id*> input_pointers;
  for (llama_seq_id& input : inputs) input_pointers.push_back(&input);
  const llama_batch batch{.n_tokens = static_cast<int32_t>(tokens.size()),
                          .token = tokens.data(),
                          .embd = nullptr,
                          .pos = positions.data(),
                          .n_seq_id = counts.data(),
                          .seq_id = input_pointers.data(),
                          .logits = outputs.data()};
  const llama_memory_t memory = llama_get_memory(context_.get());
  if (memory != nullptr && pieces.front().from == 0) llama_memory_clear(memory, false);
  const int status = llama_model_has_encoder(model_->get()) ? llama_encode(context_.get(), batch)
                                                            : llama_decode(context_.get(), batch);
  if (status == 2) return false;
  if (status != 0) {
    throw Failure("ERR_ENGINE_CRASHED", "llama.cpp could not embed a step of " + std::to_string(tokens.size()) +
                                            " tokens (status " + std::to_string(status) + ").");
  }
  llama_synchronize(context_.get());
  return true;
}

std::span<const float> EmbeddingContext::TokenRow(size_t token) {
  const float* row = llama_get_embeddings_ith(context_.get(), static_cast<int32_t>(token));
  if (row == nullptr) throw Failure("ERR_ENGINE_CRASHED", "llama.cpp computed no vector for a token.");
  return {row, width_};
}

std::span<const float> EmbeddingContext::ScoreRow(size_t piece) {
  const float* row = llama_get_embeddings_seq(context_.get(), static_cast<llama_seq_id>(piece));
  if (row == nullptr) throw Failure("ERR_ENGINE_CRASHED", "llama.cpp computed no score for an input.");
  return {row, width_};
}

}  // namespace llamero
