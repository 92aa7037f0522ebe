#pragma once

#include <vector>

#include "engine/draft_rule.h"
#include "engine/plan.h"
#include "engine/sequence.h"

namespace llamero {

/// Lets the sequences of an engine propose tokens where that makes the step give more of them per time, and learns from
/// what came of it. Lives on the engine thread.
class Speculator {
 public:
  /// Asks each of the sequences that generate for its draft; together at most `budget` tokens, in a context of `cells`.
  void Propose(const std::vector<Sequence*>& generating, int64_t budget, int64_t cells);

  /// A step is over: `accepted` of its drafts' tokens were said.
  void Learn(const Plan& plan, int64_t accepted, double milliseconds);

  /// Steps take another time from now on, with other adapters: nothing is proposed until one was measured.
  void Rescale() { costs_.single = 0; }

 private:
  StepCosts costs_;
};

}  // namespace llamero
