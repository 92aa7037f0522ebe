#pragma once

#include <cstdint>
#include <vector>

namespace llamero {

/// One sequence as the plan sees it: tokens known and a smaller number computed.
struct PlanSequence {
  int64_t id = 0;
  int64_t known = 0;     // prompt and generated tokens
  int64_t computed = 0;  // tokens whose keys and values it has in the cache; 0: it holds no slot
  int64_t own = 0;       // of these, cells that no other running sequence uses: what it frees when it is preempted
  int64_t reusable = 0;  // without a slot: tokens of it that lie computed already, from another's prefix
  int64_t taken = 0;     // of these, cells that running sequences use: they cost nothing more
  bool parked = false;   // its reader is behind: it keeps its cells, but does not run
  bool waits =
      false;         // the step is one of another adapter set, or it is in slices: it keeps its rank, but does not run
  int priority = 0;  // higher runs first
  int64_t arrival = 0;      // order of arrival, unique
  bool generating = false;  // has produced a token before
  int64_t draft = 0;        // tokens proposed behind the known ones, to be verified in the same step
  int64_t boundary = 0;  // where a run of it ends at the latest, since what follows is computed otherwise; 0: nowhere
  bool whole = false;    // and not before
};

struct PlanLimits {
  int64_t batch_size = 0;      // tokens of one decode
  int64_t max_sequences = 0;   // sequences that may hold cells
  int64_t cells = 0;           // tokens that the cache holds
  int64_t shared = 0;          // cells that several running sequences use
  int64_t prefill_budget = 0;  // prompt tokens of a step that also carries generating sequences, or that are sliced
  int64_t brief_budget = 0;    // and of prompts that are computed whole within it, the former included unless sliced
  int64_t brief_size = 0;      // with slices, a prompt of at most so many waits for a step with room for all of it
  int64_t draft_budget = 0;    // proposed tokens of a step
  bool slices = false;         // prompts beside generating sequences are computed in slices between the steps
};

/// Tokens [from, from + count) of a sequence, the last `draft` of them proposed ones. From the last known token on every
/// row is sampled, if the run reaches that.
struct PlanRun {
  int64_t id = 0;
  int64_t from = 0;
  int64_t count = 0;
  bool sample = false;
  int64_t draft = 0;
};

struct Plan {
  std::vector<PlanRun> runs;
  std::vector<PlanRun> sliced;     // of prompts: computed beside this step and those that follow; no row is sampled
  std::vector<int64_t> preempted;  // lose their cells before the runs and start over later
};

/// Proposed tokens of all runs.
int64_t DraftedTokens(const Plan& plan);

/// Decides what one step computes. A sequence has tokens known and a smaller number computed; a step narrows the gap.
/// Prefill, chunks of it, and recomputing after a preemption are all that one thing.
///
/// Policy: sequences that lack one token (they generate) go first, then prompts by priority and arrival; while
/// somebody generates, prompts share `prefill_budget`; but one that can begin and end within `brief_budget` does, and
/// may overtake those of its priority that are computed in parts: a tail behind a shared prefix is not worth parts. With
/// `slices` the parts are no runs of the step but sliced ones, all of a prompt but its last token, which is a run of its
/// own later; what is brief enough for a step, but not for this one (`brief_size`), waits for the next rather than being
/// sliced, unless decodes leave no place for it in the batch. A sequence is admitted when its whole prompt fits into the
/// cells left, and for its sake those lose theirs that are parked or of lower priority, running or not. When cells run
/// short later, the lowest in rank lose theirs: parked before running, low priority before high, late before early.
/// Hence the first in rank always advances, and nobody starves.
///
/// A sequence may start from tokens that lie computed already; its first run then begins behind them.
///
/// What must be computed in one go, up to a boundary, waits until the cells for all of it are free, whatever the budgets.
///
/// Proposed tokens take what is left: they run only in steps without prompts, and leave the cells alone that admitted
/// prompts and the next token of every running sequence will need.
///
/// REQUIRES: known > computed for every sequence, and known <= cells; a boundary lies behind what is computed, and what is
/// whole fits into a batch; `brief_budget` reaches `brief_size` again and again. Pure: equal input gives equal output.
Plan PlanStep(std::vector<PlanSequence> sequences, const PlanLimits& limits);

}  // namespace llamero
