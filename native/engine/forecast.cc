#include "engine/forecast.h"

#include <cmath>

#include "engine/logits.h"

namespace llamero {

int64_t Forecast::Settle(std::span<const llama_token> text, LeadOdds& all) {
  int64_t agreed = 0;
  for (const auto& [token, lead] : proposals_) {
    const auto position = static_cast<size_t>(from_ + agreed);
    if (position >= text.size()) break;
    const bool hit = text[position] == token;
    odds_ = LearnLead(odds_, lead, hit);
    all = LearnLead(all, lead, hit);
    if (!hit) break;
    agreed++;
  }
  proposals_.clear();
  return agreed;
}

void Forecast::Begin(int64_t from) {
  from_ = from;
  chance_ = 1;
}

bool Forecast::Propose(std::span<const float> row, const LeadOdds& all, DraftSource::Wish& wish) {
  const std::vector<size_t> best = TopIndices(row, 2);
  if (best.size() < 2 || !std::isfinite(row[best[0]])) return false;
  const auto token = static_cast<llama_token>(best[0]);
  const double lead = double{row[best[0]]} - double{row[best[1]]};
  // One that is not proposed is compared with what is said too.
  proposals_.push_back({token, lead});
  chance_ *= ChanceOf(odds_, all, lead);
  if (chance_ < wish.least_chance) return false;
  wish.tokens.push_back(token);
  return static_cast<int64_t>(wish.tokens.size()) < wish.count;
}

}  // namespace llamero
