#pragma once

#include <ggml-backend.h>
#include <llama-cpp.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/adapter_set.h"
#include "engine/compute_threads.h"
#include "engine/trained_heads.h"
#include "media/medium.h"
#include "model.h"

namespace llamero {

struct ContextOptions {
  int64_t cells = 0;
  int64_t max_sequences = 1;  // that run at once
  int64_t slots = 1;          // sequence ids: those that run and those kept for their prefix
  int64_t batch_size = 2048;
  int64_t micro_batch_size = 512;
  int64_t rollback = 0;  // tokens that can be taken back where the memory can't be cut
  int threads = 1;
  std::string flash_attention = "auto";
  bool own_kernels = true;
  std::string key_type = "f16";
  std::string value_type = "f16";
};

/// Rows that may be sampled in one decode: one for each sequence, and some for proposed tokens.
int64_t OutputRows(const ContextOptions& options);

/// A llama_context with its thread pool and batch: every call that llama.cpp would answer with abort() is checked here.
/// One thread at a time. CPU threads are ggml's own pool, attached once: without it each graph would start its own.
class Context {
 public:
  /// Throws Failure: ERR_OUT_OF_MEMORY, ERR_UNSUPPORTED, ERR_MODEL_REJECTED. `abort` ends a running decode early.
  /// `pools` are those of another context whose decodes take turns with these, if there is one; `head` is a trained head
  /// in a file of its own, if there is one.
  Context(std::shared_ptr<const Model> model, const ContextOptions& options, const std::atomic<bool>& abort,
          std::shared_ptr<ThreadPools> pools = nullptr, std::shared_ptr<const Model> head = nullptr);
  /// One that computes into the cells of `cells`, batches of so many tokens at most, in turns with it. It is asked about
  /// its decodes by `watch` with `data` as llama.cpp says, between operations. REQUIRES: Memory::kPlain. Throws as above.
  Context(const Context& cells, int64_t batch_size, ggml_backend_sched_eval_callback watch, void* data);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// What llama.cpp made of the options.
  const ContextOptions& options() const { return options_; }
  const Model& model() const { return *model_; }
  const std::shared_ptr<ThreadPools>& pools() const { return threads_.pools(); }
  /// The model's trained head, which follows all that is computed here, if there is one.
  TrainedHeads* heads() { return heads_.get(); }

  /// The set that decodes compute with from now on; shares its ownership. Returns whether it is another one than before:
  /// then the next decode takes longer, since llama.cpp makes its graphs anew.
  bool SetAdapters(std::shared_ptr<const AdapterSet> adapters);
  /// Lets go of the set if somebody has closed an adapter of it and nobody else uses the set.
  void DropClosedAdapters();

  /// What a batch is made of: llama.cpp takes tokens or embeddings. Whole media see each other in both directions.
  enum class BatchKind { kTokens, kMedia, kWholeMedia };
  void ClearBatch(BatchKind kind = BatchKind::kTokens);
  /// REQUIRES: fewer than options().batch_size tokens in the batch, of them fewer than output_rows() to sample if this one
  /// is; slot < slots. Returns the row's index.
  int AddToBatch(llama_token token, int64_t position, llama_seq_id slot, bool sample);
  /// The same for token `index` of a chunk that begins at `position`. REQUIRES: a batch of media, and one of whole media
  /// takes whole chunks and no more than options().micro_batch_size tokens.
  int AddToBatch(const MediaChunk& chunk, int64_t index, int64_t position, llama_seq_id slot, bool sample);
  size_t batch_tokens() const { return slots_.size(); }
  int64_t output_rows() const { return output_rows_; }

  enum class Outcome { kDone, kNoCells, kAborted, kBroken };
  /// Computes the batch, with the trained head behind it. kNoCells leaves everything as it was.
  Outcome Decode(int threads);
  /// The two parts of it: a decode that was dropped on its way ends as done, but has nothing to follow.
  Outcome Compute(int threads);
  void FollowWithHeads(int threads);
  /// The logits of a sampled row of the last decode; may be changed. Valid until the next decode.
  std::span<float> Row(int index);

  /// Frees all cells of a slot.
  void Free(llama_seq_id slot);
  /// Frees a slot's cells from that position on. REQUIRES: CanCut, or the checkpoint of that length was restored.
  void Truncate(llama_seq_id slot, int64_t length);
  /// Lets `to`, an empty slot, use the first `length` cells of `from` too. REQUIRES: CanCut, or a checkpoint follows. Throws
  /// Failure: ERR_INTERNAL.
  void Share(llama_seq_id from, llama_seq_id to, int64_t length);

  /// What a slot keeps of its tokens. kWindowed: layers with sliding windows lose the cells behind them, to others and
  /// in saved states. kRecurrent: nothing but its latest state; kHybrid: that, and cells.
  enum class Memory { kPlain, kWindowed, kHybrid, kRecurrent };
  Memory memory() const { return memory_; }
  /// Whether positions have several dimensions, so that media take fewer of them than tokens. All lengths below are
  /// positions then (engine/media_run.h).
  bool has_grid() const { return has_grid_; }
  /// Tokens in a slot.
  int64_t Length(llama_seq_id slot) const;
  /// Whether a slot that is cut to `length` tokens goes on as if it had never held more.
  bool CanCut(llama_seq_id slot, int64_t length) const;
  /// Tokens at the end of a decode that TakeBack can undo. Recurrent layers keep a state for each of them then
  /// (options().rollback), which llama.cpp knows for some architectures only.
  int64_t most_taken_back() const;
  /// Frees a slot's cells from that position on, behind the decode that computed them. REQUIRES: no more of them than
  /// most_taken_back(), and at least one token before them was in the same decode. Throws Failure: ERR_INTERNAL.
  void TakeBack(llama_seq_id slot, int64_t length);

  /// A checkpoint is the part of the state that can't be cut; all of it for recurrent models. Both hold what a trained head
  /// keeps besides.
  enum class Part { kAll, kCheckpoint };
  size_t StateBytes(llama_seq_id slot, Part part = Part::kAll) const;
  std::vector<uint8_t> SaveSlot(llama_seq_id slot, Part part = Part::kAll) const;
  /// Whether llama.cpp took the state and it holds that many tokens; if not the slot is to be freed. A checkpoint goes
  /// into a slot that holds the cells of its tokens, and may hold more: then Truncate follows.
  bool RestoreSlot(llama_seq_id slot, std::span<const uint8_t> state, int64_t tokens, Part part = Part::kAll);

 private:
  void Open(llama_context_params params);
  void OpenHeads(std::shared_ptr<const Model> head);
  int AddRow(llama_seq_id slot, bool sample);
  llama_batch Batch();
  void WarmUp();
  void ApplyDirections();

  std::shared_ptr<const Model> model_;
  ContextOptions options_;
  const std::atomic<bool>& abort_;
  ComputeThreads threads_;                      // outlive the context
  std::shared_ptr<const AdapterSet> adapters_;  // outlives the context, which knows the adapters' addresses
  llama_context_params params_{};
  llama_context_ptr context_;
  std::shared_ptr<TrainedHeads> heads_;  // of all contexts with the same cells
  Memory memory_;
  bool has_grid_;
  std::set<llama_seq_id> taken_back_;  // slots whose recurrent state is an earlier one until their next decode
  size_t input_size_;                  // numbers of an embedding
  BatchKind kind_ = BatchKind::kTokens;
  std::vector<llama_token> tokens_;
  std::vector<float> embeddings_;
  std::array<std::vector<llama_pos>, 4> positions_;  // by dimension; of tokens the first only
  std::vector<llama_pos> all_positions_;
  std::vector<int32_t> slot_counts_;
  std::vector<llama_seq_id> slots_;
  std::vector<llama_seq_id*> slot_pointers_;
  std::vector<int8_t> outputs_;
  int64_t output_rows_;
  int64_t rows_ = 0;  // of the batch, that are sampled
};

}  // namespace llamero
