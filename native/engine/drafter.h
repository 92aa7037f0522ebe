#pragma once

#include <llama.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/draft_rule.h"
#include "engine/ngram.h"

namespace llamero {

/// Proposes what one sequence may say next: what followed where its last tokens occurred before, in the prompt or in the
/// answer. It needs no second model, and keeps count of how often it would have been right.
class Drafter {
 public:
  /// `most`: tokens that a step may propose; 0: none ever. `adapts`: only where that pays.
  Drafter(int64_t most, bool adapts) : most_(most), adapts_(adapts) {}

  /// The sequence has one token more.
  void Observe(std::span<const llama_token> tokens);

  /// Its tokens are others now: what is known of their places is forgotten.
  void Restart();

  int64_t most() const { return most_; }
  bool adapts() const { return adapts_; }
  const DraftOdds& odds() const { return odds_; }
  /// How many of the last tokens agree with the earlier place; 0: there is none.
  int64_t match_length() const { return match_.length; }
  /// REQUIRES: `tokens` are those of the last Observe.
  std::vector<llama_token> Draft(std::span<const llama_token> tokens, int64_t count) const;

 private:
  int64_t most_;
  bool adapts_;
  NgramIndex index_;
  NgramIndex::Match match_;
  DraftOdds odds_;
};

}  // namespace llamero
