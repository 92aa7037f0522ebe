#include "engine/prefill_budget.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <utility>

namespace llamero {
namespace {

constexpr double kStretch = 1.6;
constexpr double kLeastStretch = 1.5;
constexpr double kSlice = 0.5;
constexpr double kBrief = 4;
constexpr int64_t kRefreshSteps = 31;
constexpr double kFollow = 0.5;
// Looks at decodes alone are few. Others delay a step, nobody makes it shorter: one that was longer counts less, unless
// a second one says so too.
constexpr double kFollowLook = 0.7;
constexpr double kFollowLonger = 0.3;

// A step of decodes that takes so many times as long as expected is believed when the next one does too: it decides on
// the length of the 32 steps that follow, and what delays a single step must not lengthen them all.
constexpr double kDoubt = 1.3;

// A shorter step without decodes says little about what a token adds: most of it is the pass over the weights.
constexpr int64_t kTellingPrompt = 32;

// Small chunks beside decodes cost more per token than the large ones of a prompt alone.
constexpr double kBesideFactor = 2;

// A step that others delayed must not stop prompts: with few tokens in it, all of the delay would seem to be theirs.
constexpr double kGrowth = 2;

// Tokens by which a prompt may lie deeper than what the cost was learned from.
constexpr int64_t kDepthSlack = 512;

size_t Bucket(int64_t decodes, size_t buckets) {
  return std::min<size_t>(std::bit_width(static_cast<uint64_t>(std::max<int64_t>(1, decodes)) - 1), buckets - 1);
}

/// Of the nearest number of streams that is known; fewer before more, which errs on the side of the streams.
double DecodeMs(const PrefillPace& pace, int64_t decodes) {
  const size_t bucket = Bucket(decodes, pace.decode_ms.size());
  for (size_t i = bucket + 1; i-- > 0;) {
    if (pace.decode_ms[i] > 0) return pace.decode_ms[i];
  }
  for (size_t i = bucket + 1; i < pace.decode_ms.size(); i++) {
    if (pace.decode_ms[i] > 0) return pace.decode_ms[i];
  }
  return 0;
}

bool IsMuchDeeper(int64_t depth, const PrefillPace& pace) { return depth > 2 * pace.depth + kDepthSlack; }

void Follow(double& mean, double value, double share = kFollow) { mean += (value - mean) * (mean == 0 ? 1 : share); }

double TokenMs(const PrefillPace& pace) { return pace.token_ms * (pace.beside ? 1 : kBesideFactor); }

}  // namespace

PaceStep PaceOf(std::span<const PlanRun> runs, double ms) {
  PaceStep step{.ms = ms};
  for (const PlanRun& run : runs) {
    if (run.sample && run.count == 1) {
      step.decodes++;
    } else {
      step.prompt += run.count;
      step.depth = std::max(step.depth, run.from + run.count);
    }
  }
  return step;
}

BudgetLimits LimitsOf(std::span<const PlanSequence> candidates) {
  BudgetLimits limits;
  const PlanSequence* next = nullptr;
  const auto rank = [](const PlanSequence& one) { return std::pair(one.computed > 0, one.priority); };
  for (const PlanSequence& one : candidates) {
    if (one.parked || one.waits) continue;
    if (one.computed > 0 && one.known - one.computed == 1) {
      limits.decodes++;
      continue;
    }
    limits.deepest = std::max({limits.deepest, one.computed, one.reusable});
    if (next == nullptr || rank(one) > rank(*next)) next = &one;
  }
  if (next != nullptr) limits.depth = std::max(next->computed, next->reusable);
  return limits;
}

PrefillPace LearnPace(PrefillPace pace, const PaceStep& step) {
  if (!(step.ms > 0)) {
    // A look that says nothing was one all the same: the prompts that wait for its end must not wait for ever.
    if (step.prompt == 0 && step.decodes > 0) pace.mixed_steps = 0;
    return pace;
  }
  if (step.prompt == 0) {
    if (step.decodes == 0) return pace;
    double& known = pace.decode_ms[Bucket(step.decodes, pace.decode_ms.size())];
    const double doubt = std::exchange(pace.doubt_ms, 0);
    if (doubt == 0 && known > 0 && step.ms > kDoubt * known) {
      pace.doubt_ms = step.ms;
      if (pace.mixed_steps > 0) pace.mixed_steps = kRefreshSteps;
      return pace;
    }
    const double ms = doubt > 0 ? std::min(doubt, step.ms) : step.ms;
    const double look = ms > known && doubt == 0 ? kFollowLonger : kFollowLook;
    Follow(known, ms, pace.mixed_steps > 0 ? look : kFollow);
    pace.mixed_steps = 0;
    return pace;
  }
  if (step.decodes > 0) pace.mixed_steps++;
  const double alone = step.decodes > 0 ? DecodeMs(pace, step.decodes) : 0;
  if (alone == 0 && step.prompt < kTellingPrompt) return pace;
  const bool beside = alone > 0 || step.sliced;
  // A step can't have been cheaper than its prompt's share of it by more than it varies.
  const double added = std::max(step.ms - alone, step.ms / 10) / static_cast<double>(step.prompt);
  if (beside != pace.beside || IsMuchDeeper(step.depth, pace)) pace.token_ms = 0;
  Follow(pace.token_ms, pace.token_ms > 0 ? std::min(added, kGrowth * pace.token_ms) : added);
  pace.depth = step.depth;
  pace.beside = beside;
  return pace;
}

int64_t PrefillBudget(const PrefillPace& pace, const BudgetLimits& limits) {
  const double normal = DecodeMs(pace, limits.decodes);
  if (limits.decodes == 0 || normal == 0) return limits.most;
  if (pace.mixed_steps >= kRefreshSteps) return 0;
  const double most = std::max(limits.added_ms, (kLeastStretch - 1) * normal);
  const double added = std::min(std::max((kStretch - 1) * normal, limits.least_added_ms), most);
  if (pace.token_ms == 0 || IsMuchDeeper(limits.depth, pace)) return 1;
  return std::clamp(static_cast<int64_t>(added / TokenMs(pace)), int64_t{1}, limits.most);
}

int64_t BriefBudget(const PrefillPace& pace, const BudgetLimits& limits) {
  const bool looks = limits.decodes > 0 && pace.mixed_steps >= kRefreshSteps;
  return looks ? 0 : BriefSize(pace, limits);
}

int64_t BriefSize(const PrefillPace& pace, const BudgetLimits& limits) {
  if (limits.decodes == 0) return limits.most;
  if (pace.token_ms == 0 || IsMuchDeeper(limits.deepest, pace)) return 0;
  return std::min(static_cast<int64_t>(kBrief * limits.added_ms / TokenMs(pace)), limits.most);
}

double SliceMs(const PrefillPace& pace, int64_t decodes) { return kSlice * DecodeMs(pace, decodes); }

}  // namespace llamero
