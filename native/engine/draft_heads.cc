#include "engine/draft_heads.h"

#include <limits>

namespace llamero {

DraftSource::Outlook DraftHeads::Look(const Sequence& sequence) {
  Forecast& forecast = forecasts_[sequence.id()];
  forecast.Settle(sequence.tokens(), odds_);
  const bool follows = sequence.slot != Sequence::kNoSlot && !heads_.broken() &&
                       heads_.Length(sequence.slot) == target_.Length(sequence.slot);
  if (!follows) return {};
  return {.room = std::numeric_limits<int64_t>::max(), .late = 0, .chance = MeanChance(forecast.odds(), odds_)};
}

DraftSource::Spent DraftHeads::Draft(std::vector<Wish>& wishes, double, int threads) {
  Spent spent;
  if (wishes.empty()) odds_ = Fade(odds_);
  std::vector<Active> active;
  heads_.ClearBatch();
  for (Wish& wish : wishes) {
    const Sequence& sequence = *wish.sequence;
    forecasts_[sequence.id()].Begin(sequence.known());
    active.push_back({&wish, heads_.Add(sequence.slot, sequence.tokens().back())});
  }
  while (!active.empty()) {
    const double milliseconds = Compute(active.size(), threads);
    spent.drafting_ms += std::abs(milliseconds);
    if (milliseconds < 0) break;
    std::erase_if(active, [this](const Active& one) {
      return !forecasts_[one.wish->sequence->id()].Propose(heads_.Row(one.row), odds_, *one.wish);
    });
    heads_.ClearBatch();
    for (Active& one : active) {
      one.row = heads_.AddBehind(one.row, one.wish->sequence->slot, one.wish->tokens.back());
    }
  }
  // What it has computed of proposals it has computed behind its own states, not behind the model's.
  for (const Wish& wish : wishes) {
    const llama_seq_id slot = wish.sequence->slot;
    heads_.Truncate(slot, target_.Length(slot));
  }
  return spent;
}

/// The time that it took, negative if nothing came of it.
double DraftHeads::Compute(size_t tokens, int threads) {
  const auto started = Clock::now();
  const bool done = heads_.Compute(threads);
  const double milliseconds = MillisecondsBetween(started, Clock::now());
  steps_++;
  if (!done) return -milliseconds;
  costs_ = LearnStep(costs_, {.tokens = static_cast<int64_t>(tokens), .milliseconds = milliseconds});
  return milliseconds;
}

}  // namespace llamero
