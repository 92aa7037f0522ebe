#pragma once

#include <llama-cpp.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "engine/compute_threads.h"
#include "engine/inner_states.h"
#include "model.h"

namespace llamero {

/// A layer that was trained with a model to say what comes behind its next token, in a context of its own: one in the
/// model's file (MTP, in llama.cpp "nextn"), or one in a file of its own (EAGLE-3). It reads two things of each token: the
/// token, and the model's inner state behind the one before it.
///
/// Its slots hold the same tokens as those of the model's contexts: it computes every decode of text after them, and what
/// is freed, cut, shared, saved or restored there is so here. Where it can't follow (media, a state that was not kept) it
/// goes on with less of the text in view, and proposes worse; nothing else depends on it.
///
/// Lengths are positions, as in Context. One thread at a time.
class TrainedHeads {
 public:
  /// `params`: those of the model's own context `target`; `head`: the file that holds the head alone, or none if it is in
  /// the model's. Throws Failure: ERR_OUT_OF_MEMORY, ERR_UNSUPPORTED.
  TrainedHeads(const Model& model, std::shared_ptr<const Model> head, llama_context* target,
               llama_context_params params, std::shared_ptr<ThreadPools> pools);
  ~TrainedHeads();
  TrainedHeads(const TrainedHeads&) = delete;
  TrainedHeads& operator=(const TrainedHeads&) = delete;

  /// Has a context of the model hand out its inner states.
  void Watch(llama_context* target) const { states_->Watch(target); }
  /// `target` has computed `batch`, whose tokens lie sequence by sequence.
  void Follow(llama_context* target, const llama_batch& batch, int threads);
  void Clear();
  void Free(llama_seq_id slot);
  void Truncate(llama_seq_id slot, int64_t length);
  void Share(llama_seq_id from, llama_seq_id to, int64_t length);
  int64_t Length(llama_seq_id slot) const;

  /// What it keeps of a slot: the inner state behind its last token, and before that, if asked for, its cells.
  size_t StateBytes(llama_seq_id slot, bool cells) const;
  /// REQUIRES: `state` has so many bytes.
  void Save(llama_seq_id slot, bool cells, std::span<uint8_t> state) const;
  /// Takes what Save gave of a slot of that length; false: it does not fit, and the slot is to be freed.
  bool Restore(llama_seq_id slot, bool cells, std::span<const uint8_t> state, int64_t length);

  // Proposals. What is added lies behind the tokens of its slot until it is cut.
  void ClearBatch();
  /// Adds the model's next token, which it has not computed. Returns the row's index. REQUIRES: all before it were.
  int Add(llama_seq_id slot, llama_token token);
  /// Adds the token that row `row` of the last Compute proposed. REQUIRES: the batch before had that row in this slot.
  int AddBehind(int row, llama_seq_id slot, llama_token token);
  /// Computes the batch; false: nothing came of it.
  bool Compute(int threads);
  /// The logits of a row of the last Compute.
  std::span<const float> Row(int row) const;

  bool broken() const { return broken_; }

 private:
  /// Inner states behind the tokens at positions from `first` on.
  struct Tail {
    int64_t first = 0;
    std::vector<float> states;
  };

  std::span<const float> StateBehind(llama_seq_id slot, int64_t length) const;
  int AddRow(llama_seq_id slot, llama_token token, int64_t position, std::span<const float> state);
  const float* StatesOf(llama_context* target, int32_t tokens, int threads);
  void Align(llama_seq_id slot, int64_t position);
  void KeepTails(const float* states, const llama_batch& batch);
  int Decode(int8_t output, int threads);

  std::shared_ptr<const Model> head_;  // in a file of its own
  ComputeThreads threads_;             // outlive the context
  llama_context_ptr context_;
  std::unique_ptr<InnerStates> states_;
  bool has_grid_;
  size_t width_;  // numbers of an inner state
  size_t vocabulary_size_;
  std::vector<float> zeros_;  // for what is not known: as behind the beginning of a text
  std::map<llama_seq_id, Tail> tails_;
  std::vector<float> inputs_;
  std::vector<llama_token> tokens_;
  std::vector<llama_pos> positions_;
  std::vector<int32_t> slot_counts_;
  std::vector<llama_seq_id> slots_;
  std::vector<llama_seq_id*> slot_pointers_;
  std::vector<int8_t> outputs_;
  bool broken_ = false;
};

}  // namespace llamero
