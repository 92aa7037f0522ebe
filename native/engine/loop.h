#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "engine/adapter_turns.h"
#include "engine/context.h"
#include "engine/kv_cache.h"
#include "engine/news.h"
#include "engine/plan.h"
#include "engine/prefill_budget.h"
#include "engine/sequence.h"
#include "engine/sliced_decode.h"
#include "engine/speculator.h"
#include "engine/threads.h"

namespace llamero {

struct LoopOptions {
  ContextOptions context;
  bool adapt_threads = true;
  KvCacheOptions cache;
  double step_target_ms = 50;
};

struct EngineStats {
  int64_t steps = 0;
  int64_t prompt_tokens = 0;
  int64_t output_tokens = 0;
  int64_t draft_tokens = 0;
  int64_t accepted_tokens = 0;
  int64_t draft_model_steps = 0;
  double draft_model_ms = 0;
  int64_t running = 0;
  int64_t waiting = 0;
  int64_t parked = 0;
  int64_t preemptions = 0;
  int64_t cells_used = 0;
  int64_t cells_cached = 0;
  int64_t cached_tokens = 0;
  KvCache::Counters cache;
  int64_t snapshots = 0;
  int64_t snapshot_bytes = 0;
  int64_t snapshots_dropped = 0;
  int64_t disk_files = 0;
  int64_t disk_bytes = 0;
  int64_t threads = 0;
  int64_t deliveries = 0;
  double between_decodes_ms = 0;
  double decode_ms = 0;
};

/// The batching engine's state and its step: plan, decode, sample, publish. Everything here lives on the engine thread.
class Loop {
 public:
  struct Hooks {
    /// The sequences that the coming step computes, with what is in slices beside it; `after_decode` ends that.
    std::function<void(std::vector<int64_t>)> before_decode;
    std::function<void()> after_decode;
    std::function<void(std::vector<News>)> publish;
    /// From another thread: TakeFromDisk has something to do.
    std::function<void()> on_disk;
  };

  /// `draft_model` may be absent, or be a trained head alone.
  Loop(std::shared_ptr<const Model> model, std::shared_ptr<const Model> draft_model, const LoopOptions& options,
       const std::atomic<bool>& abort, Hooks hooks);

  void Submit(int64_t id, Request request, Clock::time_point submitted);
  void Cancel(int64_t id);
  void Acknowledge(int64_t id, int64_t tokens);

  /// Ends with ERR_TIMEOUT what has run or waited beyond its deadline.
  void EndLate();
  /// When EndLate has something to do next; max(): never.
  Clock::time_point NextDeadline() const;

  /// Whether a step would do anything.
  bool HasWork() const;
  void Step();
  /// The next step does not follow the last one at once: the time between them is no cost of ours.
  void Pause() { last_decode_ended_ = {}; }
  /// Nothing is to be done now: lets go of adapters that were closed.
  void Rest();
  /// Ends every sequence with an error.
  void EndAll(const std::string& code, const std::string& message);
  /// Those that waited for what was read from disk can go on.
  void TakeFromDisk();
  /// Whether some wait for it.
  bool AwaitsDisk() const;
  /// What is computed goes to disk, unless the context broke. REQUIRES: EndAll before, nothing behind.
  void KeepOnDisk() {
    if (!broken_) cache_.KeepOnDisk();
  }
  /// The same, and every later one at once: the context's state is unknown.
  void Break(const std::string& code, const std::string& message);

  KvCache& cache() { return cache_; }
  const ContextOptions& context_options() const { return context_.options(); }
  EngineStats Stats() const;

 private:
  using Sequences = std::map<int64_t, Sequence>;

  Plan MakePlan();
  Plan PlanFor(const std::string& adapters, Context::BatchKind kind, std::vector<PlanSequence> candidates,
               int64_t draft_budget);
  std::vector<Context::BatchKind> KindsOf(const std::vector<PlanSequence>& candidates) const;
  Context::BatchKind KindOf(const PlanSequence& candidate) const;
  void PlaceBoundary(PlanSequence& candidate) const;
  bool ProposeDrafts(const Plan& plan, std::vector<PlanSequence>& candidates, int64_t budget);
  std::vector<PlanSequence> Candidates();
  bool WaitsForPrefix(const Sequence& sequence, int64_t reusable, const std::vector<const Sequence*>& leaders);
  bool WaitsForDisk(Sequence& sequence, int64_t reusable);
  void BeginRuns(Plan& plan);
  void BeginRuns(std::vector<PlanRun>& runs);
  void StopAtMarks(std::vector<PlanRun>& runs);
  void MakeRoom(Plan& plan);
  void AlignDrafts(std::vector<PlanRun>& runs);
  void Announce(const Plan& plan);
  void FillBatch(Context& context, const std::vector<PlanRun>& runs);
  void ComputeStep(const Plan& plan);
  Context::Outcome TimedDecode(const Plan& plan);
  void Learn(const Plan& plan, double milliseconds);
  void Harvest(const Plan& plan);
  void Advance(const PlanRun& run, Sequence& sequence, News& news);
  void LearnFromDrafts(const Plan& plan, int64_t accepted);
  void OnNoCells(const Plan& plan);
  void Computed(const PlanRun& run, Sequence& sequence, Clock::time_point started);
  // loop_slices.cc
  bool CanSlice() const;
  int64_t TokensInSlices() const;
  int64_t ChunkTokens(int64_t decodes) const;
  void AddSliced(PlanSequence& candidate) const;
  void BeginSlices(const Plan& plan);
  double NextSliceMs(const Plan& plan);
  void ComputeSlice(const Plan& plan);
  void LearnFromSlices(const std::vector<PlanRun>& runs);
  void EndSlices(Context::Outcome outcome);
  void DropSlicesOf(int64_t id);
  void StartOver(Sequence& sequence);
  void Preempt(Sequence& sequence);
  void Fail(Sequence& sequence, const std::string& code, const std::string& message);
  void Remove(Sequences::iterator position);
  News& NewsOf(int64_t id);
  ThreadState& ThreadsFor(size_t tokens);
  int64_t ThreadsFor(const Plan& plan);
  void Publish();

  std::shared_ptr<const Model> model_;
  LoopOptions options_;
  Context context_;
  KvCache cache_;
  Hooks hooks_;
  Sequences sequences_;
  AdapterTurns turns_;
  std::map<int64_t, int> rows_;               // sequence → index of its first sampled row in the batch
  std::multimap<int64_t, int64_t> branches_;  // sequence → where others wait to leave its path
  std::vector<News> news_;
  std::array<ThreadState, 5> threads_;  // by the size of the step
  PrefillPace pace_;
  std::unique_ptr<SlicedDecode> slices_;
  std::vector<PlanRun> sliced_;  // what it computes
  Clock::time_point slices_began_{};
  double slices_ms_ = 0;          // of the decode
  int64_t steps_with_slice_ = 0;  // since the last one without
  Speculator speculator_;
  Context::BatchKind kind_ = Context::BatchKind::kTokens;  // of the last step
  bool drafts_held_ = false;                               // for one step
  bool adapters_changed_ = false;                          // with the last decode
  bool broken_ = false;
  EngineStats stats_;
  Clock::time_point decode_started_{};
  Clock::time_point last_decode_ended_{};
};

}  // namespace llamero
