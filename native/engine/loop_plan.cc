// What the loop runs in its next step.
#include <algorithm>
#include <span>
#include <utility>

#include "engine/loop.h"

namespace llamero {
namespace {

// Tokens of a common beginning for which a request waits until another one has computed them.
constexpr int64_t kWorthWaiting = 64;

// What a step of another shape costs there by itself (engine/prefill_budget.h).
constexpr double kLeastAddedOnGpuMs = 2.5;

int64_t CommonPrefix(const Sequence& a, const Sequence& b) {
  const auto [end, unused] = std::mismatch(a.tokens().begin(), a.tokens().end(), b.tokens().begin(), b.tokens().end());
  return end - a.tokens().begin();
}

}  // namespace

/// The plan for the adapter set whose turn it is. If that one can't advance, since higher ranks of other sets hold the
/// cells, another can: at least that of the first in rank.
Plan Loop::MakePlan() {
  const ContextOptions& context = context_.options();
  const bool drafts = context_.most_taken_back() > 0 && sliced_.empty() && !std::exchange(drafts_held_, false);
  const int64_t draft_budget = drafts ? context_.output_rows() - context.max_sequences : 0;
  std::vector<PlanSequence> candidates = Candidates();
  std::map<std::string, int> present;
  for (const PlanSequence& candidate : candidates) {
    if (candidate.parked) continue;
    const auto [entry, added] = present.try_emplace(sequences_.at(candidate.id).adapters()->key(), candidate.priority);
    entry->second = std::max(entry->second, candidate.priority);
  }
  // Nobody waits for a step, so what is in slices is computed to its end before anything else begins.
  if (!sliced_.empty() && LimitsOf(candidates).decodes == 0) return {};
  Plan fallback;
  const std::vector<Context::BatchKind> kinds = KindsOf(candidates);
  for (const std::string& adapters : turns_.Order(present, Clock::now())) {
    for (const Context::BatchKind kind : kinds) {
      Plan plan = PlanFor(adapters, kind, candidates, draft_budget);
      if (!plan.runs.empty()) {
        kind_ = kind;
        return plan;
      }
      if (fallback.preempted.empty()) fallback = std::move(plan);
    }
  }
  return fallback;
}

/// What there is to compute, one kind after the other in turns: a decode takes tokens or media.
std::vector<Context::BatchKind> Loop::KindsOf(const std::vector<PlanSequence>& candidates) const {
  constexpr int kKinds = 3;
  std::vector<Context::BatchKind> kinds;
  for (int turn = 1; turn <= kKinds; turn++) {
    const auto kind = static_cast<Context::BatchKind>((static_cast<int>(kind_) + turn) % kKinds);
    const auto is = [&](const PlanSequence& candidate) { return !candidate.parked && KindOf(candidate) == kind; };
    if (std::any_of(candidates.begin(), candidates.end(), is)) kinds.push_back(kind);
  }
  return kinds;
}

Context::BatchKind Loop::KindOf(const PlanSequence& candidate) const {
  return sequences_.at(candidate.id).KindBehind(std::max(candidate.computed, candidate.reusable));
}

void Loop::PlaceBoundary(PlanSequence& candidate) const {
  const int64_t computed = std::max(candidate.computed, candidate.reusable);
  candidate.boundary = sequences_.at(candidate.id).BoundaryBehind(computed);
  candidate.whole = KindOf(candidate) == Context::BatchKind::kWholeMedia;
}

Plan Loop::PlanFor(const std::string& adapters, Context::BatchKind kind, std::vector<PlanSequence> candidates,
                   int64_t draft_budget) {
  const ContextOptions& context = context_.options();
  int64_t own = 0;
  bool delays = false;  // somebody who generates waits for the step
  for (PlanSequence& candidate : candidates) {
    own += candidate.own;
    candidate.waits =
        candidate.waits || sequences_.at(candidate.id).adapters()->key() != adapters || KindOf(candidate) != kind;
    delays = delays || (candidate.generating && candidate.waits && !candidate.parked);
  }
  BudgetLimits limits = LimitsOf(candidates);
  limits.added_ms = options_.step_target_ms;
  limits.least_added_ms = model_->gpu_layers() > 0 ? kLeastAddedOnGpuMs : 0;
  limits.most = context.micro_batch_size;
  PlanLimits plan_limits{.batch_size = context.batch_size,
                         .max_sequences = context.max_sequences,
                         .cells = context.cells,
                         .shared = cache_.live_cells() + TokensInSlices() - own,
                         .prefill_budget = PrefillBudget(pace_, limits),
                         .brief_budget = BriefBudget(pace_, limits),
                         .brief_size = BriefSize(pace_, limits),
                         .draft_budget = draft_budget,
                         .slices = slices_ != nullptr && kind == Context::BatchKind::kTokens};
  if (plan_limits.slices) plan_limits.prefill_budget = ChunkTokens(limits.decodes);
  if (kind == Context::BatchKind::kWholeMedia) {
    plan_limits.batch_size = std::min(context.batch_size, context.micro_batch_size);  // none may be cut in two
  } else if (kind == Context::BatchKind::kMedia && delays) {
    plan_limits.batch_size = std::min(context.batch_size, plan_limits.prefill_budget);
  }
  Plan plan = PlanStep(candidates, plan_limits);
  if (kind != Context::BatchKind::kTokens) return plan;
  if (!ProposeDrafts(plan, candidates, draft_budget)) return plan;
  return PlanStep(std::move(candidates), plan_limits);
}

/// Those that run, and of those that wait the first ones in rank. One that begins like another that is still being
/// computed is held back: soon it can start from the other's cells.
std::vector<PlanSequence> Loop::Candidates() {
  std::vector<PlanSequence> candidates;
  std::vector<const Sequence*> leaders;
  std::vector<Sequence*> waiting;
  branches_.clear();
  for (auto& [id, sequence] : sequences_) {
    if (sequence.slot == Sequence::kNoSlot) {
      if (!sequence.parked() && sequence.awaits == DiskTier::kNone) waiting.push_back(&sequence);
      continue;
    }
    candidates.push_back(sequence.Planned());
    candidates.back().own = cache_.OwnCells(sequence.slot);
    AddSliced(candidates.back());
    PlaceBoundary(candidates.back());
    if (!sequence.parked() && sequence.known() - sequence.computed() > 1) leaders.push_back(&sequence);
  }
  std::stable_sort(waiting.begin(), waiting.end(),
                   [](const Sequence* a, const Sequence* b) { return a->priority() > b->priority(); });
  // The plan admits no more than this; looking at a whole queue in every step would cost more than the step.
  const auto most = static_cast<size_t>(2 * context_.options().max_sequences);
  for (Sequence* sequence : std::span(waiting).first(std::min(waiting.size(), most))) {
    const KvCache::Hit hit = cache_.Find(sequence->cache_root(), sequence->tokens());
    if (WaitsForPrefix(*sequence, hit.in_cells, leaders) || WaitsForDisk(*sequence, hit.length)) continue;
    candidates.push_back(sequence->Planned());
    candidates.back().reusable = hit.length;
    candidates.back().taken = hit.live;
    PlaceBoundary(candidates.back());
    leaders.push_back(sequence);
  }
  return candidates;
}

/// Once at most: what was read may have given way again before its turn comes.
bool Loop::WaitsForDisk(Sequence& sequence, int64_t reusable) {
  if (sequence.asked_disk) return false;
  sequence.awaits = cache_.Fetch(sequence.cache_root(), sequence.tokens(), reusable);
  sequence.asked_disk = sequence.awaits != DiskTier::kNone;
  return sequence.asked_disk;
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

}  // namespace llamero
