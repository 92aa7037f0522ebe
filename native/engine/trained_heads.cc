#include "engine/trained_heads.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "failure.h"
#include "log.h"

namespace llamero {

TrainedHeads::TrainedHeads(const Model& model, std::shared_ptr<const Model> head, llama_context* target,
                           llama_context_params params, std::shared_ptr<ThreadPools> pools)
    : head_(std::move(head)), threads_(std::move(pools)) {
  const Model& weights = head_ ? *head_ : model;
  has_grid_ = weights.has_grid();
  vocabulary_size_ = static_cast<size_t>(weights.vocabulary_size());
  if (head_) {
    states_ = LayerStates(model, *head_, static_cast<int32_t>(std::min(params.n_outputs_max, params.n_ubatch)));
    params.ctx_other = target;
  } else {
    states_ = LastStates(model);
    params.ctx_type = LLAMA_CONTEXT_TYPE_MTP;
  }
  width_ = states_->width();
  zeros_.resize(width_);
  params.n_rs_seq = 0;  // what it keeps can be cut
  const LogCapture log;
  context_.reset(llama_init_from_model(weights.get(), params));
  if (!context_ && log.SaysOutOfMemory()) {
    throw Failure("ERR_OUT_OF_MEMORY",
                  "There is no memory for the trained head's context: " + log.Reason("it gave no reason") +
                      ". Lower contextSize, or open the model without it (`mtp`, `draft`).");
  }
  if (!context_ || llama_get_memory(context_.get()) == nullptr) {
    throw Failure("ERR_UNSUPPORTED",
                  "llama.cpp could not make a context for the trained head: " + log.Reason("it gave no reason") +
                      ". Open the model without it (`mtp`, `draft`).");
  }
  InnerStates::HandOutRows(context_.get());
  threads_.Attach(context_.get(), params.n_threads);
}

TrainedHeads::~TrainedHeads() {
  if (context_) threads_.Detach(context_.get());
}

void TrainedHeads::Follow(llama_context* target, const llama_batch& batch, int threads) {
  if (broken_) return;
  const auto tokens = static_cast<size_t>(batch.n_tokens);
  if (batch.token == nullptr) {
    for (size_t i = 0; i < tokens; i++) tails_.erase(batch.seq_id[i][0]);
    return;
  }
  const float* states = StatesOf(target, batch.n_tokens, threads);
  if (states == nullptr) {
    for (size_t i = 0; i < tokens; i++) Free(batch.seq_id[i][0]);
    return;
  }
  ClearBatch();
  for (size_t i = 0; i < tokens; i++) {
    const llama_seq_id slot = batch.seq_id[i][0];
    const bool first = i == 0 || batch.seq_id[i - 1][0] != slot;
    if (first) Align(slot, batch.pos[i]);
    if (batch.pos[i] == 0 && !states_->reads_first()) continue;
    const std::span<const float> before =
        first ? StateBehind(slot, batch.pos[i]) : std::span<const float>(states + (i - 1) * width_, width_);
    AddRow(slot, batch.token[i], batch.pos[i], before);
  }
  if (slots_.empty() || Decode(0, threads) == 0) return KeepTails(states, batch);
  for (size_t i = 0; i < tokens; i++) Free(batch.seq_id[i][0]);
}

const float* TrainedHeads::StatesOf(llama_context* target, int32_t tokens, int threads) {
  try {
    threads_.Attach(context_.get(), threads);
    return states_->Of(target, context_.get(), tokens);
  } catch (...) {
    broken_ = true;
    return nullptr;
  }
}

/// A slot that has less of the text than the model has must do without, but its positions may have no gap: those of text
/// alone never do.
void TrainedHeads::Align(llama_seq_id slot, int64_t position) {
  const int64_t length = Length(slot);
  if (length == 0 || length == position || (has_grid_ && length < position)) return;
  Free(slot);
}

/// Of each run those rows that may be sampled, of which the last ones may be taken back, or the last.
void TrainedHeads::KeepTails(const float* states, const llama_batch& batch) {
  const int32_t tokens = batch.n_tokens;
  for (int32_t begin = 0, end = 0; begin < tokens; begin = end) {
    const llama_seq_id slot = batch.seq_id[begin][0];
    while (end < tokens && batch.seq_id[end][0] == slot) end++;
    int32_t first = end - 1;
    while (first > begin && batch.logits[first - 1] != 0) first--;
    tails_[slot] = {batch.pos[first],
                    {states + static_cast<size_t>(first) * width_, states + static_cast<size_t>(end) * width_}};
  }
}

std::span<const float> TrainedHeads::StateBehind(llama_seq_id slot, int64_t length) const {
  const auto tail = tails_.find(slot);
  if (tail == tails_.end() || length <= tail->second.first) return zeros_;
  const auto from = static_cast<size_t>(length - 1 - tail->second.first) * width_;
  const std::span<const float> states(tail->second.states);
  return from < states.size() ? states.subspan(from, width_) : std::span<const float>(zeros_);
}

void TrainedHeads::Clear() {
  llama_memory_clear(llama_get_memory(context_.get()), true);
  tails_.clear();
}

void TrainedHeads::Free(llama_seq_id slot) {
  llama_memory_seq_rm(llama_get_memory(context_.get()), slot, -1, -1);
  tails_.erase(slot);
}

void TrainedHeads::Truncate(llama_seq_id slot, int64_t length) {
  llama_memory_seq_rm(llama_get_memory(context_.get()), slot, static_cast<llama_pos>(length), -1);
  const auto tail = tails_.find(slot);
  if (tail == tails_.end()) return;
  const auto kept = static_cast<size_t>(std::max<int64_t>(0, length - tail->second.first)) * width_;
  if (kept < tail->second.states.size()) tail->second.states.resize(kept);
}

void TrainedHeads::Share(llama_seq_id from, llama_seq_id to, int64_t length) {
  llama_memory_seq_cp(llama_get_memory(context_.get()), from, to, -1, static_cast<llama_pos>(length));
  const std::span<const float> state = StateBehind(from, length);
  tails_[to] = {length - 1, {state.begin(), state.end()}};
}

int64_t TrainedHeads::Length(llama_seq_id slot) const {
  return int64_t{llama_memory_seq_pos_max(llama_get_memory(context_.get()), slot)} + 1;
}

size_t TrainedHeads::StateBytes(llama_seq_id slot, bool cells) const {
  const size_t state = width_ * sizeof(float);
  return cells ? state + llama_state_seq_get_size(context_.get(), slot) : state;
}

void TrainedHeads::Save(llama_seq_id slot, bool cells, std::span<uint8_t> state) const {
  const std::span<const float> last = StateBehind(slot, Length(slot));
  std::memcpy(state.data(), last.data(), last.size_bytes());
  const std::span<uint8_t> rest = state.subspan(last.size_bytes());
  if (cells) llama_state_seq_get_data(context_.get(), rest.data(), rest.size(), slot);
}

bool TrainedHeads::Restore(llama_seq_id slot, bool cells, std::span<const uint8_t> state, int64_t length) {
  const size_t bytes = width_ * sizeof(float);
  if (state.size() < bytes) return false;
  std::vector<float> last(width_);
  std::memcpy(last.data(), state.data(), bytes);
  const std::span<const uint8_t> rest = state.subspan(bytes);
  tails_[slot] = {length - 1, std::move(last)};
  if (!cells) return rest.empty();
  return llama_state_seq_set_data(context_.get(), rest.data(), rest.size(), slot) == rest.size();
}

void TrainedHeads::ClearBatch() {
  inputs_.clear();
  tokens_.clear();
  positions_.clear();
  slots_.clear();
}

int TrainedHeads::Add(llama_seq_id slot, llama_token token) {
  const int64_t length = Length(slot);
  return AddRow(slot, token, length, StateBehind(slot, length));
}

int TrainedHeads::AddBehind(int row, llama_seq_id slot, llama_token token) {
  return AddRow(slot, token, Length(slot), {InnerStates::OfRow(context_.get(), row), width_});
}

int TrainedHeads::AddRow(llama_seq_id slot, llama_token token, int64_t position, std::span<const float> state) {
  inputs_.insert(inputs_.end(), state.begin(), state.end());
  tokens_.push_back(token);
  positions_.push_back(static_cast<llama_pos>(position));
  slots_.push_back(slot);
  return static_cast<int>(slots_.size()) - 1;
}

bool TrainedHeads::Compute(int threads) { return Decode(1, threads) == 0; }

/// llama.cpp's status of the batch, whose rows are all of use or none.
int TrainedHeads::Decode(int8_t output, int threads) {
  slot_counts_.assign(slots_.size(), 1);
  outputs_.assign(slots_.size(), output);
  slot_pointers_.resize(slots_.size());
  for (size_t i = 0; i < slots_.size(); i++) slot_pointers_[i] = &slots_[i];
  const llama_batch batch{.n_tokens = static_cast<int32_t>(slots_.size()),
                          .token = tokens_.data(),
                          .embd = inputs_.data(),
                          .pos = positions_.data(),
                          .n_seq_id = slot_counts_.data(),
                          .seq_id = slot_pointers_.data(),
                          .logits = outputs_.data()};
  try {
    threads_.Attach(context_.get(), threads);
    const int status = llama_decode(context_.get(), batch);
    if (status == 0) llama_synchronize(context_.get());
    broken_ = broken_ || status < 0;
    return status;
  } catch (...) {
    // What llama.cpp throws leaves its state unknown.
    broken_ = true;
    return -1;
  }
}

std::span<const float> TrainedHeads::Row(int row) const {
  const float* logits = llama_get_logits_ith(context_.get(), row);
  if (logits == nullptr)
    throw Failure("ERR_INTERNAL", "A row of the trained head was asked for that was not computed.");
  return {logits, vocabulary_size_};
}

}  // namespace llamero
