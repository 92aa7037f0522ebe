#include "engine/loop.h"

#include <algorithm>
#include <span>
#include <utility>

#include "failure.h"

namespace llamero {
namespace {

constexpr double kFewTokens = 64;

// Tokens of a common beginning for which a request waits until another one has computed them.
constexpr int64_t kWorthWaiting = 64;

int64_t CommonPrefix(const Sequence& a, const Sequence& b) {
  const auto [end, unused] = std::mismatch(a.tokens().begin(), a.tokens().end(), b.tokens().begin(), b.tokens().end());
  return end - a.tokens().begin();
}

const char* const kBrokenMessage = "The engine's context broke in an earlier step; close the model and load it again.";

}  // namespace

Loop::Loop(std::shared_ptr<const Model> model, const LoopOptions& options, const std::atomic<bool>& abort, Hooks hooks)
    : model_(std::move(model)),
      options_(options),
      context_(model_, options.context, abort),
      cache_(context_, options.cache),
      hooks_(std::move(hooks)),
      turns_(options.step_target_ms) {
  const int threads = context_.options().threads;
  for (ThreadState& state : threads_) state.threads = state.max_threads = threads;
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
  return std::any_of(sequences_.begin(), sequences_.end(), [](const auto& entry) { return !entry.second.parked(); });
}

void Loop::Step() {
  Plan plan = MakePlan();
  for (const int64_t id : plan.preempted) Preempt(sequences_.at(id));
  const bool planned = !plan.runs.empty() || !plan.preempted.empty();
  BeginRuns(plan);
  if (plan.runs.empty()) {
    if (planned) return Publish();  // what was freed serves the next step
    // The plan always advances the first in rank; if it can't, waiting would be for ever.
    for (auto& [id, sequence] : sequences_) {
      if (sequence.parked()) continue;
      Fail(sequence, "ERR_INTERNAL", "The engine found nothing to run.");
      break;
    }
    return Publish();
  }
  FillBatch(plan);
  switch (TimedDecode(plan)) {
    case Context::Outcome::kDone:
      Harvest(plan);
      break;
    case Context::Outcome::kNoCells:
      OnNoCells(plan);
      break;
    case Context::Outcome::kAborted:
      for (const PlanRun& run : plan.runs) {
        cache_.Settle(sequences_.at(run.id).slot);
        Preempt(sequences_.at(run.id));
      }
      break;
    case Context::Outcome::kBroken:
      Break("ERR_ENGINE_CRASHED", "llama.cpp could not compute a step; close the model and load it again.");
      break;
  }
  Publish();
}

/// The plan for the adapter set whose turn it is. If that one can't advance, since higher ranks of other sets hold the
/// cells, another can: at least that of the first in rank.
Plan Loop::MakePlan() {
  std::vector<PlanSequence> candidates = Candidates();
  std::map<std::string, int> present;
  for (const PlanSequence& candidate : candidates) {
    if (candidate.parked) continue;
    const auto [entry, added] = present.try_emplace(sequences_.at(candidate.id).adapters()->key(), candidate.priority);
    entry->second = std::max(entry->second, candidate.priority);
  }
  Plan fallback;
  for (const std::string& adapters : turns_.Order(present, Clock::now())) {
    Plan plan = PlanFor(adapters, candidates);
    if (!plan.runs.empty()) return plan;
    if (fallback.preempted.empty()) fallback = std::move(plan);
  }
  return fallback;
}

Plan Loop::PlanFor(const std::string& adapters, std::vector<PlanSequence> candidates) {
  const ContextOptions& context = context_.options();
  int64_t own = 0;
  for (PlanSequence& candidate : candidates) {
    own += candidate.own;
    candidate.waits = sequences_.at(candidate.id).adapters()->key() != adapters;
  }
  BudgetLimits limits = LimitsOf(candidates);
  limits.added_ms = options_.step_target_ms;
  limits.most = context.micro_batch_size;
  return PlanStep(std::move(candidates), {.batch_size = context.batch_size,
                                          .max_sequences = context.max_sequences,
                                          .cells = context.cells,
                                          .shared = cache_.live_cells() - own,
                                          .prefill_budget = PrefillBudget(pace_, limits)});
}

/// Those that run, and of those that wait the first ones in rank. One that begins like another that is still being
/// computed is held back: soon it can start from the other's cells.
std::vector<PlanSequence> Loop::Candidates() {
  std::vector<PlanSequence> candidates;
  std::vector<const Sequence*> leaders;
  std::vector<const Sequence*> waiting;
  branches_.clear();
  for (const auto& [id, sequence] : sequences_) {
    if (sequence.slot == Sequence::kNoSlot) {
      if (!sequence.parked()) waiting.push_back(&sequence);
      continue;
    }
    candidates.push_back(sequence.Planned());
    candidates.back().own = cache_.OwnCells(sequence.slot);
    if (!sequence.parked() && candidates.back().known - candidates.back().computed > 1) leaders.push_back(&sequence);
  }
  std::stable_sort(waiting.begin(), waiting.end(),
                   [](const Sequence* a, const Sequence* b) { return a->priority() > b->priority(); });
  // The plan admits no more than this; looking at a whole queue in every step would cost more than the step.
  const auto most = static_cast<size_t>(2 * context_.options().max_sequences);
  for (const Sequence* sequence : std::span(waiting).first(std::min(waiting.size(), most))) {
    const KvCache::Hit hit = cache_.Find(sequence->cache_root(), sequence->tokens());
    if (WaitsForPrefix(*sequence, hit.in_cells, leaders)) continue;
    candidates.push_back(sequence->Planned());
    candidates.back().reusable = hit.length;
    candidates.back().taken = hit.live;
    leaders.push_back(sequence);
  }
  return candidates;
}

bool Loop::WaitsForPrefix(const Sequence& sequence, int64_t reusable, const std::vector<const Sequence*>& leaders) {
  return std::any_of(leaders.begin(), leaders.end(), [&](const Sequence* leader) {
    if (leader->priority() < sequence.priority() || leader->cache_root() != sequence.cache_root()) return false;
    const auto useful = std::min(CommonPrefix(sequence, *leader), static_cast<int64_t>(sequence.tokens().size()) - 1);
    const bool waits = useful > leader->computed() && useful - reusable >= kWorthWaiting;
    if (waits) branches_.emplace(leader->id(), useful);
    return waits;
  });
}

/// Gives slots to the sequences that start, each with the prefix that the plan counted on, and makes room for all.
void Loop::BeginRuns(Plan& plan) {
  cache_.NextStep();
  std::erase_if(plan.runs, [&](const PlanRun& run) {
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
  StopAtMarks(plan);
  int64_t cells = 0;
  for (const PlanRun& run : plan.runs) cells += run.count;
  cache_.MakeRoom(cells);
}

/// A prefill that comes to a place where the cache wants a checkpoint ends its chunk there.
void Loop::StopAtMarks(Plan& plan) {
  for (PlanRun& run : plan.runs) {
    const llama_seq_id slot = sequences_.at(run.id).slot;
    const auto [first, last] = branches_.equal_range(run.id);
    for (auto branch = first; branch != last; ++branch) cache_.Mark(slot, branch->second);
    const int64_t mark = cache_.NextMark(slot, run.from);
    if (mark < 0 || mark >= run.from + run.count) continue;
    run.count = mark - run.from;
    run.sample = false;
  }
}

void Loop::FillBatch(const Plan& plan) {
  context_.ClearBatch();
  rows_.clear();
  for (const PlanRun& run : plan.runs) {
    const Sequence& sequence = sequences_.at(run.id);
    for (int64_t position = run.from; position < run.from + run.count; position++) {
      const bool sample = run.sample && position + 1 == run.from + run.count;
      const int row = context_.AddToBatch(sequence.tokens()[position], position, sequence.slot, sample);
      if (sample) rows_[run.id] = row;
    }
  }
}

Context::Outcome Loop::TimedDecode(const Plan& plan) {
  std::vector<int64_t> participants;
  for (const PlanRun& run : plan.runs) participants.push_back(run.id);
  const auto& adapters = sequences_.at(plan.runs.front().id).adapters();
  const bool changed = context_.SetAdapters(adapters);
  hooks_.before_decode(std::move(participants));
  decode_started_ = Clock::now();
  if (last_decode_ended_ != Clock::time_point{}) {
    stats_.between_decodes_ms += MillisecondsBetween(last_decode_ended_, decode_started_);
  }
  stats_.threads = ThreadsFor(context_.batch_tokens()).threads;
  Context::Outcome outcome = Context::Outcome::kBroken;
  try {
    outcome = context_.Decode(static_cast<int>(stats_.threads));
  } catch (...) {
    // An exception from inside llama.cpp leaves its state unknown: the same as a failed compute.
  }
  last_decode_ended_ = Clock::now();
  hooks_.after_decode();
  turns_.Ran(adapters->key(), decode_started_, last_decode_ended_);
  const double milliseconds = MillisecondsBetween(decode_started_, last_decode_ended_);
  stats_.steps++;
  stats_.decode_ms += milliseconds;
  if (outcome == Context::Outcome::kDone && !changed) Learn(plan, milliseconds);
  return outcome;
}

void Loop::Learn(const Plan& plan, double milliseconds) {
  const auto tokens = static_cast<double>(context_.batch_tokens());
  // A step of many tokens has few barriers for its work; neighbours cost it little more than their share.
  if (options_.adapt_threads && tokens <= kFewTokens) {
    ThreadState& state = ThreadsFor(context_.batch_tokens());
    state = NextThreads(state, milliseconds / tokens);
  }
  pace_ = LearnPace(pace_, PaceOf(plan, milliseconds));
}

void Loop::Harvest(const Plan& plan) {
  for (const PlanRun& run : plan.runs) {
    const auto position = sequences_.find(run.id);
    Sequence& sequence = position->second;
    sequence.Computed(run.count, decode_started_);
    cache_.Extend(sequence.slot, std::span(sequence.tokens()).subspan(run.from, run.count));
    const bool prompt = run.count > 1 || !run.sample;
    stats_.prompt_tokens += prompt ? run.count : 0;
    if (sequence.wants_progress()) NewsOf(run.id).prompt_tokens = sequence.computed();
    if (!run.sample) continue;
    News& news = NewsOf(run.id);
    try {
      sequence.Advance(context_.Row(rows_.at(run.id)), context_.options().cells, Clock::now(), news);
    } catch (...) {
      const Failure failure = CurrentFailure("ERR_ENGINE_CRASHED");
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
}

/// Its tokens have changed. Moving its cells along would move them for everybody who shares them, and recurrent states
/// can't be moved at all, so they are computed again, from what the cache has of them.
void Loop::StartOver(Sequence& sequence) {
  cache_.Release(sequence.slot);
  sequence.Forget();
}

/// The plan counts cells, so this is rare: some caches hold less than they promise. The last in the batch gives way.
void Loop::OnNoCells(const Plan& plan) {
  Sequence& last = sequences_.at(plan.runs.back().id);
  if (plan.runs.size() > 1 || last.computed() > 0) {
    Preempt(last);
    if (plan.runs.size() > 1) return;
  }
  Fail(last, "ERR_CONTEXT_FULL", "The model's memory has no room for this request; shorten it or raise contextSize.");
}

/// Its tokens stay as a prefix that gives way when room is needed; if they are still there, it goes on from them.
void Loop::Preempt(Sequence& sequence) {
  if (sequence.slot == Sequence::kNoSlot) return;
  cache_.Release(sequence.slot);
  sequence.Forget();
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
  if (sequence.slot != Sequence::kNoSlot) {
    cache_.Release(sequence.slot, sequence.session());
  }
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
  stats.cells_used = cache_.live_cells();
  stats.cells_cached = cache_.cells() - stats.cells_used;
  stats.cache = cache_.counters();
  stats.snapshots = cache_.store().count();
  stats.snapshot_bytes = cache_.store().bytes();
  stats.snapshots_dropped = cache_.store().dropped();
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
