#include "engine/plan.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <tuple>

namespace llamero {
namespace {

/// Rank by which cells are defended: smaller is safer.
auto Rank(const PlanSequence& sequence) {
  return std::make_tuple(sequence.parked, -int64_t{sequence.priority}, sequence.arrival);
}

int64_t Gap(const PlanSequence& sequence) { return sequence.known - sequence.computed; }

int64_t ToBoundary(const PlanSequence& sequence) {
  return (sequence.boundary > 0 ? sequence.boundary : sequence.known) - sequence.computed;
}

class Planner {
 public:
  Planner(std::vector<PlanSequence> sequences, const PlanLimits& limits)
      : sequences_(std::move(sequences)),
        admitted_(sequences_.size()),
        limits_(limits),
        batch_left_(limits.batch_size) {
    std::sort(sequences_.begin(), sequences_.end(),
              [](const PlanSequence& a, const PlanSequence& b) { return Rank(a) < Rank(b); });
    for (const PlanSequence& sequence : sequences_) {
      free_cells_ -= sequence.own;
      if (sequence.computed > 0) slots_used_++;
    }
    free_cells_ += limits.cells - limits.shared;
  }

  Plan Take() {
    AdmitNew();
    std::vector<size_t> decodes;
    for (size_t i = 0; i < sequences_.size(); i++) {
      if (!sequences_[i].waits && IsDecode(sequences_[i]) && Run(i, 1) > 0) decodes.push_back(i);
    }
    const bool alone = plan_.runs.empty();
    RunPrompts(alone ? batch_left_ : limits_.prefill_budget, !alone && limits_.slices);
    if (plan_.runs.size() == decodes.size() && plan_.sliced.empty()) AddDrafts(decodes);
    return std::move(plan_);
  }

 private:
  static bool IsDecode(const PlanSequence& s) { return !s.parked && s.computed > 0 && Gap(s) == 1; }
  static bool IsPrefill(const PlanSequence& s) { return !s.parked && s.computed > 0 && Gap(s) > 1; }
  static bool IsNew(const PlanSequence& s) { return !s.parked && s.computed == 0; }

  /// Before anything runs, so that a sequence of low priority can still lose its cells to one of higher priority. In
  /// order: a small request must not overtake a large one that waits for cells, or that one starves. One that waits for
  /// the turn of its adapters has its place kept free.
  void AdmitNew() {
    for (size_t i = 0; i < sequences_.size(); i++) {
      if (!IsNew(sequences_[i])) continue;
      if (!Admit(i)) return;
      admitted_[i] = true;
      slots_used_++;
      free_cells_ -= sequences_[i].reusable - sequences_[i].taken;
      sequences_[i].computed = sequences_[i].reusable;
    }
  }

  /// Runs up to `wanted` tokens of sequence `i`, taking cells from lower ranks if there are none. Returns the count.
  int64_t Run(size_t i, int64_t wanted) {
    PlanSequence& sequence = sequences_[i];
    const int64_t least = sequence.whole ? ToBoundary(sequence) : 1;
    if (batch_left_ < least || wanted <= 0) return 0;
    while (free_cells_ < least) {
      if (!PreemptBelow(i)) return 0;
    }
    const int64_t count = std::min({std::max(wanted, least), batch_left_, free_cells_, ToBoundary(sequence)});
    plan_.runs.push_back({sequence.id, sequence.computed, count, count == Gap(sequence), 0});
    batch_left_ -= count;
    Occupy(sequence, count);
    return count;
  }

  /// The same beside the step, and never the last token. It takes nothing from the batch, but overtakes nobody that
  /// finds no place in it.
  int64_t Slice(size_t i, int64_t wanted) {
    PlanSequence& sequence = sequences_[i];
    if (batch_left_ == 0 || wanted <= 0) return 0;
    while (free_cells_ < 1) {
      if (!PreemptBelow(i)) return 0;
    }
    const int64_t count = std::min({wanted, free_cells_, ToBoundary(sequence), Gap(sequence) - 1});
    plan_.sliced.push_back({sequence.id, sequence.computed, count, false, 0});
    Occupy(sequence, count);
    return count;
  }

  void Occupy(PlanSequence& sequence, int64_t cells) {
    free_cells_ -= cells;
    sequence.computed += cells;
    sequence.own += cells;
  }

  void RunPrompts(int64_t budget, bool slices) {
    const int64_t brief_size = slices ? std::min(limits_.brief_size, batch_left_) : 0;
    int64_t in_parts = 0;
    int64_t in_step = 0;
    int held = std::numeric_limits<int>::min();  // priority of the first that gets nothing
    for (size_t i = 0; i < sequences_.size(); i++) {
      const int64_t gap = Gap(sequences_[i]);
      if (sequences_[i].waits || gap == 0 || !(IsPrefill(sequences_[i]) || admitted_[i])) continue;
      const int64_t room = std::min(limits_.brief_budget - in_step, batch_left_);
      const bool brief = admitted_[i] && gap <= room && sequences_[i].priority >= held;
      const bool sliced = slices && !brief && gap > 1;
      // What begins in slices does not pass a higher priority that waits for the next step.
      const bool later = slices && admitted_[i] && !brief && (gap <= brief_size || sequences_[i].priority < held);
      const int64_t wanted = later ? 0 : brief ? gap : std::min(gap, budget - in_parts);
      const int64_t ran = sliced ? Slice(i, wanted) : Run(i, wanted);
      if (ran == 0) held = std::max(held, sequences_[i].priority);
      if (!slices || !brief) in_parts += ran;
      if (!sliced) in_step += ran;
    }
  }

  /// Lengthens the runs of those that propose something; `decodes` are the sequences of the runs.
  void AddDrafts(const std::vector<size_t>& decodes) {
    for (size_t i = 0; i < sequences_.size(); i++) {
      // A step without its chunk is left out to see what one costs.
      if (!sequences_[i].waits && (IsPrefill(sequences_[i]) || admitted_[i])) return;
    }
    int64_t left = std::min({limits_.draft_budget, batch_left_, free_cells_ - slots_used_ - Promised()});
    for (size_t run = 0; run < decodes.size() && left > 0; run++) {
      const int64_t draft = std::min(sequences_[decodes[run]].draft, left);
      plan_.runs[run].draft = draft;
      plan_.runs[run].count += draft;
      left -= draft;
    }
  }

  /// Takes the cells of the lowest rank behind `i` that holds any and does not run in this step.
  bool PreemptBelow(size_t i) {
    for (size_t victim = sequences_.size(); victim-- > i + 1;) {
      if (!Preemptible(victim)) continue;
      Preempt(victim);
      return true;
    }
    return false;
  }

  bool Preemptible(size_t i) const {
    const PlanSequence& sequence = sequences_[i];
    if (sequence.computed == 0 || admitted_[i]) return false;
    const auto is_its = [&](const PlanRun& run) { return run.id == sequence.id; };
    return std::none_of(plan_.runs.begin(), plan_.runs.end(), is_its) &&
           std::none_of(plan_.sliced.begin(), plan_.sliced.end(), is_its);
  }

  void Preempt(size_t i) {
    PlanSequence& sequence = sequences_[i];
    plan_.preempted.push_back(sequence.id);
    free_cells_ += sequence.own;
    sequence.computed = sequence.own = 0;
    sequence.parked = true;  // not again in this step
    slots_used_--;
  }

  /// Whether the whole of new sequence `i` fits beside what was promised to others. Takes the cells of those that are
  /// parked or of lower priority if that makes it fit.
  bool Admit(size_t i) {
    const PlanSequence& sequence = sequences_[i];
    int64_t cells = free_cells_ - Promised();
    int64_t slots = limits_.max_sequences - slots_used_;
    const auto fits = [&] {
      // One cell of air for every sequence that runs: the next step must not take back what this one gave.
      const int64_t air = std::min(limits_.max_sequences - slots, limits_.cells - sequence.known);
      return slots > 0 && cells >= sequence.known - sequence.taken + air;
    };
    std::vector<size_t> victims;
    for (size_t other = sequences_.size(); !fits() && other-- > i + 1;) {
      const PlanSequence& candidate = sequences_[other];
      const bool below = candidate.parked || candidate.priority < sequence.priority;
      if (!below || !Preemptible(other)) continue;
      cells += candidate.own + (candidate.parked || Gap(candidate) == 1 ? 0 : Gap(candidate));
      slots++;
      victims.push_back(other);
    }
    if (!fits()) return false;
    for (const size_t victim : victims) Preempt(victim);
    return true;
  }

  /// Cells that admitted prompts still need.
  int64_t Promised() const {
    int64_t cells = 0;
    for (size_t i = 0; i < sequences_.size(); i++) {
      if (IsPrefill(sequences_[i]) || admitted_[i]) cells += Gap(sequences_[i]);
    }
    return cells;
  }

  std::vector<PlanSequence> sequences_;
  std::vector<bool> admitted_;  // new ones that may begin in this step
  PlanLimits limits_;
  Plan plan_;
  int64_t free_cells_ = 0;
  int64_t batch_left_;
  int64_t slots_used_ = 0;
};

}  // namespace

int64_t DraftedTokens(const Plan& plan) {
  return std::accumulate(plan.runs.begin(), plan.runs.end(), int64_t{0},
                         [](int64_t sum, const PlanRun& run) { return sum + run.draft; });
}

Plan PlanStep(std::vector<PlanSequence> sequences, const PlanLimits& limits) {
  return Planner(std::move(sequences), limits).Take();
}

}  // namespace llamero
