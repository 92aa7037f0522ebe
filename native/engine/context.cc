#include "engine/context.h"

#include <ggml.h>

#include <algorithm>
#include <limits>

#include "engine/cache_type.h"
#include "failure.h"
#include "flash_attention.h"
#include "free_memory.h"
#include "log.h"
#include "memory_need.h"
#include "model_heads.h"

namespace llamero {
namespace {

// With an odd number of rows the buffers behind them lie so that prefill loses a fifth (measured: 1,024 tokens at 893
// tokens/s with 17 rows, 1,050 with 32 and 1,070 with 128).
constexpr int64_t kOutputBlock = 64;
// A step of so many rows may be all samples: no more than kOutputBlock.
constexpr int64_t kWarmUpTokens = 64;
// Rows beside one for each sequence, for proposed tokens.
constexpr int64_t kDraftRows = 32;

/// TypeScript chooses sizes that fit; this refuses an absurd one before minutes of allocation.
void RequireMemory(const Model& model, const ContextOptions& options) {
  constexpr int64_t kMebibyte = int64_t{1} << 20;
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const int64_t cell = NeedOf(model, options).per_cell;
  const int64_t needed = cell > kMost / options.cells ? kMost : options.cells * cell;
  const int64_t free_bytes = FreeMemoryFor(model.gpu_share());
  if (free_bytes == 0 || needed < free_bytes) return;
  throw Failure("ERR_OUT_OF_MEMORY", "A KV cache of " + std::to_string(options.cells) + " tokens needs " +
                                         std::to_string(needed / kMebibyte) + " MiB, but " +
                                         std::to_string(free_bytes / kMebibyte) +
                                         " MiB are free. Lower contextSize or parallel.");
}

Context::Memory MemoryOf(const llama_model* model) {
  if (llama_model_is_recurrent(model)) return Context::Memory::kRecurrent;
  if (llama_model_is_hybrid(model)) return Context::Memory::kHybrid;
  return llama_model_n_swa(model) > 0 ? Context::Memory::kWindowed : Context::Memory::kPlain;
}

llama_state_seq_flags Flags(Context::Part part) {
  return part == Context::Part::kCheckpoint ? LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY : 0;
}

/// llama.cpp keeps the last n_rs_seq + 1 tokens of a sequence in one micro-batch, and asserts that this holds more.
uint32_t MostRollback(uint32_t micro_batch_size) { return std::max(micro_batch_size, 2u) - 2; }

bool ShouldAbort(void* data) noexcept { return static_cast<const std::atomic<bool>*>(data)->load(); }

}  // namespace

int64_t OutputRows(const ContextOptions& options) {
  const int64_t rows = std::max(options.slots, options.max_sequences + kDraftRows);
  return (rows + kOutputBlock - 1) / kOutputBlock * kOutputBlock;
}

Context::Context(std::shared_ptr<const Model> model, const ContextOptions& options, const std::atomic<bool>& abort,
                 std::shared_ptr<ThreadPools> pools, std::shared_ptr<const Model> head)
    : model_(std::move(model)),
      options_(options),
      abort_(abort),
      threads_(pools ? std::move(pools) : std::make_shared<ThreadPools>(options.own_kernels)),
      adapters_(std::make_shared<AdapterSet>(std::vector<AdapterSet::Entry>())),
      memory_(MemoryOf(model_->get())),
      has_grid_(model_->has_grid()),
      input_size_(static_cast<size_t>(llama_model_n_embd_inp(model_->get()))),
      output_rows_(OutputRows(options)) {
  if (model_->vocabulary_only()) {
    throw Failure("ERR_UNSUPPORTED", "The model was loaded with its vocabulary only; it can't generate.");
  }
  if (!llama_model_has_decoder(model_->get())) {
    throw Failure("ERR_UNSUPPORTED", "This model only encodes; it can't generate text.");
  }
  if (model_->is_head()) {
    throw Failure("ERR_UNSUPPORTED",
                  "The file holds the trained head of another model; open that model, with this file as `draft`.");
  }
  RequireMemory(*model_, options);
  RequireWholeBlocks(model_->get(), KvType(options.key_type));
  Open(llama_context_default_params());
  if (head || model_->has_head()) OpenHeads(std::move(head));
  WarmUp();
}

Context::Context(const Context& cells, int64_t batch_size, ggml_backend_sched_eval_callback watch, void* data)
    : model_(cells.model_),
      options_(cells.options_),
      abort_(cells.abort_),
      threads_(cells.pools()),
      adapters_(std::make_shared<AdapterSet>(std::vector<AdapterSet::Entry>())),
      memory_(cells.memory_),
      has_grid_(cells.has_grid_),
      heads_(cells.heads_),
      input_size_(cells.input_size_),
      output_rows_(cells.output_rows_) {
  options_.batch_size = options_.micro_batch_size = batch_size;
  llama_context_params params = llama_context_default_params();
  params.ctx_other = cells.context_.get();  // native/patches/shared-memory.patch
  params.cb_eval = watch;
  params.cb_eval_user_data = data;
  Open(params);
  if (heads_) heads_->Watch(context_.get());
}

void Context::Open(llama_context_params params) {
  params.n_ctx = static_cast<uint32_t>(options_.cells);
  params.n_batch = static_cast<uint32_t>(std::max(options_.batch_size, options_.slots));
  params.n_ubatch = static_cast<uint32_t>(std::min<int64_t>(options_.micro_batch_size, params.n_batch));
  params.n_seq_max = static_cast<uint32_t>(options_.slots);
  // A window's cells are not kept beyond it, so a hybrid model with windows can't go back.
  const bool windowed = llama_model_n_swa(model_->get()) > 0;
  params.n_rs_seq = windowed ? 0 : std::min(static_cast<uint32_t>(options_.rollback), MostRollback(params.n_ubatch));
  // Without it the compute buffers hold logits for a whole micro-batch, hundreds of MiB for a large vocabulary.
  params.n_outputs_max = static_cast<uint32_t>(output_rows_);
  params.n_threads = options_.threads;
  params.n_threads_batch = options_.threads;
  params.flash_attn_type = FlashAttention(options_.flash_attention);
  params.type_k = KvType(options_.key_type);
  params.type_v = KvType(options_.value_type);
  params.kv_unified = true;
  params.no_perf = true;
  params.abort_callback = ShouldAbort;
  params.abort_callback_data = const_cast<std::atomic<bool>*>(&abort_);

  const LogCapture log;
  context_.reset(llama_init_from_model(model_->get(), params));
  if (!context_ && log.SaysOutOfMemory()) {
    throw Failure("ERR_OUT_OF_MEMORY", "There is no memory for the context: " + log.Reason("it gave no reason") +
                                           ". Lower contextSize, or keep fewer layers on a GPU (gpuLayers).");
  }
  if (!context_) {
    throw Failure("ERR_UNSUPPORTED", "llama.cpp could not make a context: " + log.Reason("it gave no reason") + ".");
  }
  if (llama_get_memory(context_.get()) == nullptr) {
    throw Failure("ERR_UNSUPPORTED", "This model keeps no memory of tokens; it can't generate text.");
  }
  options_.cells = llama_n_ctx(context_.get());
  options_.slots = llama_n_seq_max(context_.get());
  const bool can_go_back = llama_n_rs_seq(context_.get()) > 0;
  if (options_.rollback > 0 && memory_ != Memory::kPlain && !can_go_back) {
    throw Failure("ERR_UNSUPPORTED",
                  "A model of this kind can't take back what it has computed; open it without `rollback`.");
  }
  options_.rollback = llama_n_rs_seq(context_.get());
  options_.batch_size = llama_n_batch(context_.get());
  options_.micro_batch_size = llama_n_ubatch(context_.get());
  threads_.Attach(context_.get(), options_.threads);
  params_ = params;
}

/// Proposals that can't be taken back are of no use, so a model that can't go back is refused.
void Context::OpenHeads(std::shared_ptr<const Model> head) {
  if (most_taken_back() == 0) {
    throw Failure(
        "ERR_UNSUPPORTED",
        "The trained head can't be used: what this model keeps of a text can't be cut, since it is recurrent or "
        "has sliding windows. Open it with `rollback` if it is one of those that can go back (Qwen3.5, Nemotron "
        "H and others), else without the head (`mtp`, `draft`).");
  }
  if (head) RequireFit(model_->get(), head->get());
  heads_ = std::make_shared<TrainedHeads>(*model_, std::move(head), context_.get(), params_, threads_.pools());
  heads_->Watch(context_.get());
}

Context::~Context() {
  if (context_) threads_.Detach(context_.get());
}

/// The first decode touches every page of the weights and builds the graph; better now than in the first request. A GPU
/// loads kernels when they are first used, others for each size of step.
void Context::WarmUp() {
  const llama_token bos = llama_vocab_bos(model_->vocab());
  const int64_t most = model_->gpu_layers() > 0 ? std::min({kWarmUpTokens, options_.batch_size, options_.cells}) : 1;
  for (int64_t size = 1; size <= most; size *= 2) {
    ClearBatch();
    for (int64_t at = 0; at < size; at++) AddToBatch(model_->IsToken(bos) ? bos : 0, at, 0, true);
    if (Decode(options_.threads) != Outcome::kDone) break;
    llama_memory_clear(llama_get_memory(context_.get()), true);
    if (heads_) heads_->Clear();
  }
  ClearBatch();
}

bool Context::SetAdapters(std::shared_ptr<const AdapterSet> adapters) {
  if (adapters_->key() == adapters->key()) return false;
  std::vector<llama_adapter_lora*> loras;
  std::vector<float> scales;
  for (const auto& [adapter, scale] : adapters->entries()) {
    if (adapter->lora() == nullptr) continue;
    loras.push_back(adapter->lora());
    scales.push_back(scale);
  }
  llama_set_adapters_lora(context_.get(), loras.data(), loras.size(), scales.data());
  adapters_ = std::move(adapters);  // only now: llama.cpp has forgotten those of before
  ApplyDirections();
  return true;
}

/// llama.cpp knows one control vector, so several are added up.
void Context::ApplyDirections() {
  std::vector<float> sum;
  for (const auto& [adapter, scale] : adapters_->entries()) {
    const std::vector<float>& directions = adapter->directions();
    sum.resize(std::max(sum.size(), directions.size()));
    for (size_t i = 0; i < directions.size(); i++) sum[i] += scale * directions[i];
  }
  const llama_model* model = model_->get();
  const int status = llama_set_adapter_cvec(context_.get(), sum.empty() ? nullptr : sum.data(), sum.size(),
                                            llama_model_n_embd(model), 1, llama_model_n_layer(model));
  if (status != 0) throw Failure("ERR_OUT_OF_MEMORY", "There is no memory for the control vector.");
}

void Context::DropClosedAdapters() {
  if (adapters_.use_count() == 1 && adapters_->HoldsClosed()) {
    SetAdapters(std::make_shared<AdapterSet>(std::vector<AdapterSet::Entry>()));
  }
}

void Context::ClearBatch(BatchKind kind) {
  kind_ = kind;
  tokens_.clear();
  embeddings_.clear();
  for (auto& positions : positions_) positions.clear();
  slot_counts_.clear();
  slots_.clear();
  outputs_.clear();
  rows_ = 0;
}

int Context::AddToBatch(llama_token token, int64_t position, llama_seq_id slot, bool sample) {
  const int row = AddRow(slot, sample);
  tokens_.push_back(token);
  positions_[0].push_back(static_cast<llama_pos>(position));
  return row;
}

int Context::AddToBatch(const MediaChunk& chunk, int64_t index, int64_t position, llama_seq_id slot, bool sample) {
  const auto from = static_cast<size_t>(index) * input_size_;
  if (index < 0 || chunk.embeddings.size() < from + input_size_ || chunk.has_grid != has_grid_) {
    throw Failure("ERR_INTERNAL", "A batch was built of media that are for another model.");
  }
  const int row = AddRow(slot, sample);
  const auto first = chunk.embeddings.begin() + static_cast<std::ptrdiff_t>(from);
  embeddings_.insert(embeddings_.end(), first, first + static_cast<std::ptrdiff_t>(input_size_));
  const auto begin = static_cast<llama_pos>(position);
  if (!has_grid_) {
    positions_[0].push_back(begin + static_cast<llama_pos>(index));
    return row;
  }
  for (size_t d = 0; d < positions_.size(); d++) {
    const llama_pos along = chunk.grid[d * static_cast<size_t>(chunk.tokens) + static_cast<size_t>(index)];
    positions_[d].push_back(d < 3 ? begin + along : along);  // nothing is rotated by the fourth
  }
  return row;
}

int Context::AddRow(llama_seq_id slot, bool sample) {
  const bool has_room = static_cast<int64_t>(slots_.size()) < options_.batch_size && (!sample || rows_ < output_rows_);
  if (!has_room || slot < 0 || slot >= options_.slots) {
    throw Failure("ERR_INTERNAL", "A batch was built beyond its limits.");
  }
  slot_counts_.push_back(1);
  slots_.push_back(slot);
  outputs_.push_back(sample ? 1 : 0);
  rows_ += sample ? 1 : 0;
  return static_cast<int>(slots_.size()) - 1;
}

Context::Outcome Context::Decode(int threads) {
  const Outcome outcome = Compute(threads);
  if (outcome == Outcome::kDone) FollowWithHeads(threads);
  return outcome;
}

Context::Outcome Context::Compute(int threads) {
  slot_pointers_.resize(slots_.size());
  for (size_t i = 0; i < slots_.size(); i++) slot_pointers_[i] = &slots_[i];
  all_positions_.clear();
  for (const auto& positions : positions_) {
    all_positions_.insert(all_positions_.end(), positions.begin(), positions.end());
  }
  threads_.Attach(context_.get(), threads);
  llama_set_causal_attn(context_.get(), kind_ != BatchKind::kWholeMedia);
  const int status = llama_decode(context_.get(), Batch());
  if (status == 0) {
    llama_synchronize(context_.get());
    for (const llama_seq_id slot : slots_) taken_back_.erase(slot);
    return Outcome::kDone;
  }
  if (status == 1) return Outcome::kNoCells;
  return status == 2 ? Outcome::kAborted : Outcome::kBroken;
}

void Context::FollowWithHeads(int threads) {
  if (heads_) heads_->Follow(context_.get(), Batch(), threads);
}

llama_batch Context::Batch() {
  const bool text = kind_ == BatchKind::kTokens;
  return {.n_tokens = static_cast<int32_t>(slots_.size()),
          .token = text ? tokens_.data() : nullptr,
          .embd = text ? nullptr : embeddings_.data(),
          .pos = all_positions_.data(),
          .n_seq_id = slot_counts_.data(),
          .seq_id = slot_pointers_.data(),
          .logits = outputs_.data()};
}

std::span<float> Context::Row(int index) {
  float* row = llama_get_logits_ith(context_.get(), index);
  if (row == nullptr) throw Failure("ERR_INTERNAL", "A row was asked for that was not computed.");
  return {row, static_cast<size_t>(model_->vocabulary_size())};
}

void Context::Free(llama_seq_id slot) {
  llama_memory_seq_rm(llama_get_memory(context_.get()), slot, -1, -1);
  taken_back_.erase(slot);
  if (heads_) heads_->Free(slot);
}

void Context::Truncate(llama_seq_id slot, int64_t length) {
  llama_memory_seq_rm(llama_get_memory(context_.get()), slot, static_cast<llama_pos>(length), -1);
  if (heads_) heads_->Truncate(slot, length);
}

void Context::Share(llama_seq_id from, llama_seq_id to, int64_t length) {
  llama_memory_seq_cp(llama_get_memory(context_.get()), from, to, -1, static_cast<llama_pos>(length));
  if (heads_) heads_->Share(from, to, length);
  // llama.cpp shares the latest state, not which one counts.
  if (!taken_back_.contains(from)) return;
  if (RestoreSlot(to, SaveSlot(from, Part::kCheckpoint), length, Part::kCheckpoint)) return;
  throw Failure("ERR_INTERNAL", "llama.cpp did not share the state that a sequence was taken back to.");
}

int64_t Context::Length(llama_seq_id slot) const {
  return int64_t{llama_memory_seq_pos_max(llama_get_memory(context_.get()), slot)} + 1;
}

bool Context::CanCut(llama_seq_id slot, int64_t length) const {
  if (memory_ == Memory::kPlain || Length(slot) == length) return true;
  if (memory_ != Memory::kWindowed) return false;
  // llama.cpp keeps positions without gaps: when it takes a cell behind a window, all before it go too.
  const int64_t first = llama_memory_seq_pos_min(llama_get_memory(context_.get()), slot);
  return first <= std::max<int64_t>(0, length - llama_model_n_swa(model_->get()));
}

int64_t Context::most_taken_back() const {
  if (memory_ == Memory::kPlain) return std::numeric_limits<int64_t>::max();
  return memory_ == Memory::kWindowed ? 0 : options_.rollback;
}

void Context::TakeBack(llama_seq_id slot, int64_t length) {
  if (Length(slot) == length) return;
  if (!llama_memory_seq_rm(llama_get_memory(context_.get()), slot, static_cast<llama_pos>(length), -1)) {
    throw Failure("ERR_INTERNAL", "llama.cpp did not take back the proposed tokens.");
  }
  if (memory_ != Memory::kPlain) taken_back_.insert(slot);
  if (heads_) heads_->Truncate(slot, length);
}

size_t Context::StateBytes(llama_seq_id slot, Part part) const {
  const size_t own = llama_state_seq_get_size_ext(context_.get(), slot, Flags(part));
  return own + (heads_ ? heads_->StateBytes(slot, part == Part::kAll) : 0);
}

std::vector<uint8_t> Context::SaveSlot(llama_seq_id slot, Part part) const {
  std::vector<uint8_t> state(StateBytes(slot, part));
  const size_t own = llama_state_seq_get_data_ext(context_.get(), state.data(), state.size(), slot, Flags(part));
  if (!heads_) {
    state.resize(own);
    return state;
  }
  heads_->Save(slot, part == Part::kAll, std::span(state).subspan(own));
  return state;
}

bool Context::RestoreSlot(llama_seq_id slot, std::span<const uint8_t> state, int64_t tokens, Part part) {
  const size_t own = llama_state_seq_set_data_ext(context_.get(), state.data(), state.size(), slot, Flags(part));
  taken_back_.erase(slot);
  if (Length(slot) != tokens) return false;
  const std::span<const uint8_t> rest = state.subspan(std::min(own, state.size()));
  return heads_ ? heads_->Restore(slot, part == Part::kAll, rest, tokens) : rest.empty();
}

}  // namespace llamero
