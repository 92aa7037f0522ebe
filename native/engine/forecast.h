#pragma once

#include <llama.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/draft_rule.h"
#include "engine/draft_source.h"

namespace llamero {

/// What was proposed last for one text by computing it, and how often such proposals have been right.
class Forecast {
 public:
  const LeadOdds& odds() const { return odds_; }

  /// Learns from what became of the proposals, for this text and for `all`. Returns how many of the first ones were said.
  int64_t Settle(std::span<const llama_token> text, LeadOdds& all);
  /// Not asked in this step.
  void Pass() { odds_ = Fade(odds_); }
  /// What is proposed from now on stands behind `from` tokens of the text. REQUIRES: settled.
  void Begin(int64_t from);
  /// Takes the best token of a row of logits; returns whether there shall be another one behind it.
  bool Propose(std::span<const float> row, const LeadOdds& all, DraftSource::Wish& wish);

 private:
  struct Proposal {
    llama_token token = LLAMA_TOKEN_NULL;
    double lead = 0;
  };

  int64_t from_ = 0;
  double chance_ = 1;  // that all proposals are right
  std::vector<Proposal> proposals_;
  LeadOdds odds_;
};

}  // namespace llamero
