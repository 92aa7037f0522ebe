#include "engine/loop.h"

#include <algorithm>
#include <span>
#include <utility>

#include "engine/draft_heads.h"
#include "engine/draft_model.h"
#include "failure.h"

namespace llamero {
namespace {

constexpr double kFewTokens = 64;

const char* const kBrokenMessage = "The engine's context broke in an earlier step; close the model and load it again.";

std::unique_ptr<DraftSource> MakeDraftSource(std::shared_ptr<const Model> draft_model, Context& target,
                                             const LoopOptions& options, const std::atomic<bool>& abort) {
  if (target.heads() != nullptr) return std::make_unique<DraftHeads>(target);
  if (!draft_model) return nullptr;
  return std::make_unique<DraftModel>(std::move(draft_model), target, options.cache.idle_limit, abort);
}

std::shared_ptr<const Model> HeadOf(const std::shared_ptr<const Model>& draft_model) {
  return draft_model && draft_model->is_head() ? draft_model : nullptr;
}

}  // namespace

Loop::Loop(std::shared_ptr<const Model> model, std::shared_ptr<const Model> draft_model, const LoopOptions& options,
           const std::atomic<bool>& abort, Hooks hooks)
    : model_(std::move(model)),
      options_(options),
      context_(model_, options.context, abort, nullptr, HeadOf(draft_model)),
      cache_(context_, options.cache, hooks.on_disk),
      hooks_(std::move(hooks)),
      turns_(options.step_target_ms),
      speculator_(MakeDraftSource(std::move(draft_model), context_, options, abort)) {
  const int threads = context_.options().threads;
  for (ThreadState& state : threads_) state.threads = state.max_threads = threads;
  if (CanSlice()) slices_ = std::make_unique<SlicedDecode>(context_);
}

void Loop::Submit(int64_t id, Request request, Clock::time_point submitted) {
  try {
    if (broken_) throw Failure("ERR_ENGINE_CRASHED", kBrokenMessage);
    sequences_.try_emplace(id, id, std::move(request), model_, submitted);
  } catch (...) {
    const Failure failure = CurrentFailure("ERR_ENGINE_CRASHED");
    Finish& finish = NewsOf(id).finish.emplace();
    finish.reason = FinishReason::kError;
    finish.error_code = failure.code();
    finish.error_message = failure.what();
    Publish();
  }
}

void Loop::Cancel(int64_t id) {
  const auto position = sequences_.find(id);
  if (position == sequences_.end()) return;
  NewsOf(id).finish = position->second.End(FinishReason::kAbort, Clock::now());
  Remove(position);
  Publish();
}

void Loop::Acknowledge(int64_t id, int64_t tokens) {
  const auto position = sequences_.find(id);
  if (position != sequences_.end()) position->second.acknowledged = tokens;
}

void Loop::EndLate() {
  const auto now = Clock::now();
  if (NextDeadline() > now) return;
  std::vector<int64_t> late;
  for (const auto& [id, sequence] : sequences_) {
    if (sequence.deadline() <= now) late.push_back(id);
  }
  for (const int64_t id : late) Fail(sequences_.at(id), "ERR_TIMEOUT", "The time of this request is over.");
  Publish();
}

Clock::time_point Loop::NextDeadline() const {
  auto next = Clock::time_point::max();
  for (const auto& [id, sequence] : sequences_) next = std::min(next, sequence.deadline());
  return next;
}

bool Loop::HasWork() const {
  return std::any_of(sequences_.begin(), sequences_.end(), [](const auto& entry) {
    return !entry.second.parked() && entry.second.awaits == DiskTier::kNone;
  });
}

bool Loop::AwaitsDisk() const {
  return std::any_of(sequences_.begin(), sequences_.end(),
                     [](const auto& entry) { return entry.second.awaits != DiskTier::kNone; });
}

void Loop::TakeFromDisk() {
  cache_.TakeFetched();
  for (auto& [id, sequence] : sequences_) {
    if (!cache_.IsFetching(sequence.awaits)) sequence.awaits = DiskTier::kNone;
  }
}

void Loop::Rest() {
  if (slices_) slices_->context().SetAdapters(std::make_shared<AdapterSet>(std::vector<AdapterSet::Entry>()));
  context_.DropClosedAdapters();
}

void Loop::Step() {
  Plan plan = MakePlan();
  for (const int64_t id : plan.preempted) Preempt(sequences_.at(id));
  const bool planned = !plan.runs.empty() || !plan.sliced.empty() || !plan.preempted.empty();
  BeginRuns(plan);
  if (!plan.sliced.empty()) BeginSlices(plan);
  if (plan.runs.empty() && sliced_.empty()) {
    if (planned || AwaitsDisk()) return Publish();  // what was freed, or is read, serves the next step
    // The plan always advances the first in rank; if it can't, waiting would be for ever.
    for (auto& [id, sequence] : sequences_) {
      if (sequence.parked()) continue;
      Fail(sequence, "ERR_INTERNAL", "The engine found nothing to run.");
      break;
    }
    return Publish();
  }
  Announce(plan);
  if (!sliced_.empty()) ComputeSlice(plan);
  if (!plan.runs.empty() && !broken_) ComputeStep(plan);
  hooks_.after_decode();
  Publish();
}

/// Says what the coming decodes compute.
void Loop::Announce(const Plan& plan) {
  std::vector<int64_t> participants;
  for (const PlanRun& run : plan.runs) participants.push_back(run.id);
  for (const PlanRun& run : sliced_) participants.push_back(run.id);
  hooks_.before_decode(std::move(participants));
}

void Loop::ComputeStep(const Plan& plan) {
  FillBatch(context_, plan.runs);
  switch (TimedDecode(plan)) {
    case Context::Outcome::kDone:
      return Harvest(plan);
    case Context::Outcome::kNoCells:
      return OnNoCells(plan);
    case Context::Outcome::kAborted:
      for (const PlanRun& run : plan.runs) {
        cache_.Settle(sequences_.at(run.id).slot);
        Preempt(sequences_.at(run.id));
      }
      return;
    case Context::Outcome::kBroken:
      return Break("ERR_ENGINE_CRASHED", "llama.cpp could not compute a step; close the model and load it again.");
  }
}

/// Gives slots to the sequences that start, each with the prefix that the plan counted on, and makes room for all.
void Loop::BeginRuns(Plan& plan) {
  cache_.NextStep();
  BeginRuns(plan.runs);
  BeginRuns(plan.sliced);
  if (kind_ != Context::BatchKind::kWholeMedia) StopAtMarks(plan.runs);  // what is sliced has none
  MakeRoom(plan);
}

void Loop::BeginRuns(std::vector<PlanRun>& runs) {
  std::erase_if(runs, [&](const PlanRun& run) {
    Sequence& sequence = sequences_.at(run.id);
    if (sequence.slot != Sequence::kNoSlot) return false;
    KvCache::Hit hit = cache_.Find(sequence.cache_root(), sequence.tokens());
    // What it would start from changed with another run of this step: plan again.
    if (hit.length < run.from || (hit.length > run.from && !cache_.can_shorten())) return true;
    hit.length = run.from;
    const auto slot = cache_.Begin(sequence.cache_root(), sequence.tokens(), hit, sequence.session());
    if (!slot) return true;
    sequence.Begin(*slot, run.from);
    stats_.cached_tokens += run.from;
    return false;
  });
}

/// A prefill that comes to a place where the cache wants a checkpoint ends its chunk there.
void Loop::StopAtMarks(std::vector<PlanRun>& runs) {
  for (PlanRun& run : runs) {
    const llama_seq_id slot = sequences_.at(run.id).slot;
    const auto [first, last] = branches_.equal_range(run.id);
    for (auto branch = first; branch != last; ++branch) cache_.Mark(slot, branch->second);
    const int64_t mark = cache_.NextMark(slot, run.from);
    if (mark < 0 || mark >= run.from + run.count) continue;
    run.count = mark - run.from;
    run.sample = false;
    run.draft = 0;
  }
}

void Loop::FillBatch(Context& context, const std::vector<PlanRun>& runs) {
  context.ClearBatch(kind_);
  rows_.clear();
  for (const PlanRun& run : runs) {
    const Sequence& sequence = sequences_.at(run.id);
    const Medium::Span* media = sequence.MediaAt(run.from);
    const int64_t known = run.from + run.count - run.draft;
    const int64_t skipped = run.from - sequence.PositionOf(run.from);
    for (int64_t at = run.from; at < run.from + run.count; at++) {
      const bool sample = run.sample && at + 1 >= known;
      const llama_token token = at < known ? sequence.tokens()[at] : sequence.draft()[static_cast<size_t>(at - known)];
      const int row = media != nullptr ? context.AddToBatch(*media->chunk, at - media->begin,
                                                            sequence.PositionOf(media->begin), sequence.slot, sample)
                                       : context.AddToBatch(token, at - skipped, sequence.slot, sample);
      if (sample) rows_.try_emplace(run.id, row);
    }
  }
}

Context::Outcome Loop::TimedDecode(const Plan& plan) {
  const auto& adapters = sequences_.at(plan.runs.front().id).adapters();
  const bool changed = context_.SetAdapters(adapters);
  decode_started_ = Clock::now();
  if (last_decode_ended_ != Clock::time_point{}) {
    stats_.between_decodes_ms += MillisecondsBetween(last_decode_ended_, decode_started_);
  }
  // A pool of another size than that of the slices would spin beside this one.
  stats_.threads = sliced_.empty() ? ThreadsFor(plan) : slices_->threads();
  Context::Outcome outcome = Context::Outcome::kBroken;
  try {
    outcome = context_.Decode(static_cast<int>(stats_.threads));
  } catch (...) {
    // An exception from inside llama.cpp leaves its state unknown: the same as a failed compute.
  }
  last_decode_ended_ = Clock::now();
  turns_.Ran(adapters->key(), decode_started_, last_decode_ended_);
  const double milliseconds = MillisecondsBetween(decode_started_, last_decode_ended_);
  stats_.steps++;
  stats_.decode_ms += milliseconds;
  adapters_changed_ = changed;
  const bool text = kind_ == Context::BatchKind::kTokens;
  if (outcome != Context::Outcome::kDone || !text) return outcome;
  if (changed) {
    pace_ = LearnPace(pace_, PaceOf(plan.runs, 0));
  } else {
    Learn(plan, milliseconds);
  }
  return outcome;
}

void Loop::Learn(const Plan& plan, double milliseconds) {
  const auto tokens = static_cast<double>(context_.batch_tokens());
  // A step of many tokens has few barriers for its work; neighbours cost it little more than their share.
  if (options_.adapt_threads && tokens <= kFewTokens) {
    ThreadState& state = ThreadsFor(context_.batch_tokens());
    if (state.threads == stats_.threads) state = NextThreads(state, milliseconds / tokens);
  }
  if (DraftedTokens(plan) == 0) pace_ = LearnPace(pace_, PaceOf(plan.runs, milliseconds));
}

void Loop::Harvest(const Plan& plan) {
  const int64_t accepted_before = stats_.accepted_tokens;
  for (const PlanRun& run : plan.runs) {
    const auto position = sequences_.find(run.id);
    Sequence& sequence = position->second;
    Computed(run, sequence, decode_started_);
    if (!run.sample) continue;
    News& news = NewsOf(run.id);
    try {
      Advance(run, sequence, news);
    } catch (...) {
      const Failure failure = CurrentFailure("ERR_ENGINE_CRASHED");
      if (run.draft > 0) cache_.Settle(sequence.slot);
      Fail(sequence, failure.code(), failure.what());
      continue;
    }
    stats_.output_tokens += static_cast<int64_t>(news.tokens.size());
    if (news.finish) {
      Remove(position);
    } else if (sequence.ShiftIfFull()) {
      StartOver(sequence);
    }
  }
  LearnFromDrafts(plan, stats_.accepted_tokens - accepted_before);
}

void Loop::Computed(const PlanRun& run, Sequence& sequence, Clock::time_point started) {
  const int64_t known = run.count - run.draft;
  sequence.Computed(known, started);
  cache_.Extend(sequence.slot, std::span(sequence.tokens()).subspan(run.from, known));
  // Also what is computed anew after its cells were lost. Beyond the prompt a run of one token is a decode.
  const bool prompt = known > 1 || !run.sample || run.from < sequence.prompt_size();
  stats_.prompt_tokens += prompt ? known : 0;
  if (sequence.wants_progress()) NewsOf(run.id).prompt_tokens = sequence.computed();
}

/// Its tokens have changed. Moving its cells along would move them for everybody who shares them, and recurrent states
/// can't be moved at all, so they are computed again, from what the cache has of them.
void Loop::StartOver(Sequence& sequence) {
  cache_.Release(sequence.slot);
  sequence.Forget();
  speculator_.Forget(sequence.id());
}

/// The plan counts cells, so this is rare: some caches hold less than they promise. The last in the batch gives way.
void Loop::OnNoCells(const Plan& plan) {
  Sequence& last = sequences_.at(plan.runs.back().id);
  drafts_held_ = DraftedTokens(plan) > 0;
  if (drafts_held_) return;  // perhaps they were too much
  if (!sliced_.empty()) return Preempt(sequences_.at(sliced_.back().id));
  if (plan.runs.size() > 1 || last.computed() > 0) {
    Preempt(last);
    if (plan.runs.size() > 1) return;
  }
  Fail(last, "ERR_CONTEXT_FULL", "The model's memory has no room for this request; shorten it or raise contextSize.");
}

/// Its tokens stay as a prefix that gives way when room is needed; if they are still there, it goes on from them.
void Loop::Preempt(Sequence& sequence) {
  if (sequence.slot == Sequence::kNoSlot) return;
  DropSlicesOf(sequence.id());
  cache_.Release(sequence.slot);
  sequence.Forget();
  speculator_.Forget(sequence.id());
  stats_.preemptions++;
}

void Loop::Fail(Sequence& sequence, const std::string& code, const std::string& message) {
  Finish finish = sequence.End(FinishReason::kError, Clock::now());
  finish.error_code = code;
  finish.error_message = message;
  NewsOf(sequence.id()).finish = std::move(finish);
  Remove(sequences_.find(sequence.id()));
}

void Loop::Remove(Sequences::iterator position) {
  const Sequence& sequence = position->second;
  DropSlicesOf(sequence.id());
  if (sequence.slot != Sequence::kNoSlot) {
    cache_.Release(sequence.slot, sequence.session());
  }
  speculator_.Forget(sequence.id());
  sequences_.erase(position);
}

void Loop::EndAll(const std::string& code, const std::string& message) {
  cache_.StopSaving();
  while (!sequences_.empty()) Fail(sequences_.begin()->second, code, message);
  Publish();
}

void Loop::Break(const std::string& code, const std::string& message) {
  broken_ = true;
  EndAll(code, message);
}

News& Loop::NewsOf(int64_t id) {
  for (News& news : news_) {
    if (news.id == id) return news;
  }
  news_.emplace_back().id = id;
  return news_.back();
}

ThreadState& Loop::ThreadsFor(size_t tokens) {
  const size_t bucket = tokens <= 1 ? 0 : tokens <= 4 ? 1 : tokens <= 16 ? 2 : tokens <= 64 ? 3 : 4;
  return threads_[bucket];
}

void Loop::Publish() {
  if (news_.empty()) return;
  for (News& news : news_) news.urgent = news.urgent || news.finish || news.prompt_tokens;
  hooks_.publish(std::exchange(news_, {}));
}

EngineStats Loop::Stats() const {
  EngineStats stats = stats_;
  stats.draft_model_steps = speculator_.source_steps();
  stats.cells_used = cache_.live_cells();
  stats.cells_cached = cache_.cells() - stats.cells_used;
  stats.cache = cache_.counters();
  stats.snapshots = cache_.store().count();
  stats.snapshot_bytes = cache_.store().bytes();
  stats.snapshots_dropped = cache_.store().dropped();
  stats.disk_files = cache_.disk_files();
  stats.disk_bytes = cache_.disk_bytes();
  for (const auto& [id, sequence] : sequences_) {
    if (sequence.parked()) {
      stats.parked++;
    } else if (sequence.slot == Sequence::kNoSlot) {
      stats.waiting++;
    } else {
      stats.running++;
    }
  }
  return stats;
}

}  // namespace llamero
