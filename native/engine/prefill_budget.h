#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/plan.h"

namespace llamero {

/// What steps have cost, as far as the budget of prompts beside running streams depends on it.
struct PrefillPace {
  /// Mean length of a step of 1, 2, 4 … 256 decodes and nothing else, in ms; 0: not known.
  std::array<double, 9> decode_ms{};
  double token_ms = 0;      // what one more prompt token adds to a step; 0: not known
  int64_t depth = 0;        // of the prompt tokens that this was learned from
  bool beside = false;      // it was learned beside decodes
  int64_t mixed_steps = 0;  // since the last step of decodes alone
  double doubt_ms = 0;      // a step of decodes alone that took much longer than expected, once; 0: none
};

/// One step that was computed.
struct PaceStep {
  int64_t decodes = 0;  // runs of one token
  int64_t prompt = 0;   // tokens of all other runs
  int64_t depth = 0;    // position behind the deepest of these
  double ms = 0;        // 0: what it took says nothing, as when adapters changed before it
  bool sliced = false;  // its prompts were computed in slices: in chunks as small as beside decodes
};

struct BudgetLimits {
  int64_t decodes = 0;        // sequences that generate in the coming step
  int64_t depth = 0;          // tokens that lie computed before the next prompt token
  int64_t deepest = 0;        // and before that of any prompt
  double added_ms = 50;       // most that prompts may add to a step, unless it is long anyway
  double least_added_ms = 0;  // so much, up to `added_ms`, also to a short step
  int64_t most = 512;         // tokens, at least 1
};

/// What was run in so many ms. Prompts that end with a run of one token cost what a decode costs, and count as such.
PaceStep PaceOf(std::span<const PlanRun> runs, double ms);

/// Decodes and depth of the step that is to be planned: of the prompt that goes on, or else begins.
BudgetLimits LimitsOf(std::span<const PlanSequence> candidates);

/// The pace after one more step. Pure.
PrefillPace LearnPace(PrefillPace pace, const PaceStep& step);

/// Prompt tokens that the coming step may carry beside `decodes` running streams if they are whole prompts, 0 to `most`:
/// what little lies behind a prefix that is in the cache. Such a step may last 4 * `added_ms` longer: few steps of many such
/// prompts delay everybody less than many of few, since each step also decodes, and their readers have nothing to read
/// before. Every 32nd step carries none.
int64_t BriefBudget(const PrefillPace& pace, const BudgetLimits& limits);

/// How long a prompt may be to be computed so, in tokens: the same, whether or not this step carries any.
int64_t BriefSize(const PrefillPace& pace, const BudgetLimits& limits);

/// Prompt tokens that the coming step may carry beside `decodes` running streams, 0 to `most`, where prompts are not
/// computed in slices.
///
/// A stream shall feel little of another's prompt: a step that carries one lasts at most 1.6 times as long as the mean
/// step without, so that it stays below three times although costs vary, and the stream itself gets deeper. The prompt
/// then has 3/8 of the time, less what a whole number of tokens leaves.
/// Where that would add more than `added_ms` this is the limit instead, but a third of the time is the prompt's in any case.
/// `least_added_ms` is for GPUs: a step of another shape is longer there by some 2 ms whatever is in it, which makes few
/// tokens seem dear, and nobody feels it.
///
/// At least one token is carried, or prompts would starve; where a single one costs more than the limit (upstream's
/// attention over a deep prompt, beside a shallow stream) the step is as long as that takes. Every 32nd step carries
/// none: what a step of decodes costs changes with its neighbours and the cells in use, and is only seen alone.
int64_t PrefillBudget(const PrefillPace& pace, const BudgetLimits& limits);

/// How long prompts may be computed before each step of `decodes` running streams where that goes in slices
/// (engine/sliced_decode.h), in ms; 0: not known yet. A third of the time is the prompts', so that a stream's steps come
/// half as far apart again as alone.
double SliceMs(const PrefillPace& pace, int64_t decodes);

}  // namespace llamero
