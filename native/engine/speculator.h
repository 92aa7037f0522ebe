#pragma once

#include <memory>
#include <set>
#include <vector>

#include "engine/draft_rule.h"
#include "engine/draft_source.h"
#include "engine/plan.h"
#include "engine/sequence.h"

namespace llamero {

/// Lets the sequences of an engine propose tokens where that makes the step give more of them per time, and learns from
/// what came of it. Who repeats what its text said proposes that; a draft model or trained heads, if there are any, propose
/// for all others in common steps of their own. Lives on the engine thread.
class Speculator {
 public:
  /// `source` may be absent.
  explicit Speculator(std::unique_ptr<DraftSource> source) : source_(std::move(source)) {}

  struct Limits {
    int64_t budget = 0;  // tokens that all may propose together
    int64_t each = 0;    // and one of them
    int64_t cells = 0;   // of the context
    double step_ms = 0;  // in which the source may read what it has not seen of the texts
    int threads = 1;     // of the source
  };
  /// Asks each of the sequences that generate for its draft. Returns the ms that the source took.
  double Propose(const std::vector<Sequence*>& generating, Limits limits);

  /// A step is over: `accepted` of its drafts' tokens were said.
  void Learn(const Plan& plan, int64_t accepted, double milliseconds);

  /// Steps take another time from now on, with other adapters: nothing is proposed until one was measured.
  void Rescale() { costs_.single = 0; }

  /// The sequence has ended, or its beginning or its cells have changed.
  void Forget(int64_t id) {
    if (source_) source_->Forget(id);
  }

  /// Decodes of the source.
  int64_t source_steps() const { return source_ ? source_->steps() : 0; }

 private:
  DraftAnswer AskSource(const Sequence& sequence, DraftQuestion question, int64_t askers, const DraftAnswer& other,
                        std::vector<DraftSource::Wish>& wishes);

  std::unique_ptr<DraftSource> source_;
  StepCosts costs_;
  std::set<int64_t> sizes_;   // of the steps so far, in tokens
  DraftSource::Spent spent_;  // since the last step
};

}  // namespace llamero
