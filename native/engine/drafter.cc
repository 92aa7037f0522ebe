#include "engine/drafter.h"

namespace llamero {

void Drafter::Observe(std::span<const llama_token> tokens) {
  if (most_ == 0) return;
  if (match_.length > 0) odds_ = LearnMatch(odds_, match_.length, tokens[match_.next] == tokens.back());
  match_ = index_.Read(tokens) ? index_.Find(tokens) : NgramIndex::Match{};
}

void Drafter::Restart() {
  index_ = {};
  match_ = {};
}

std::vector<llama_token> Drafter::Draft(std::span<const llama_token> tokens, int64_t count) const {
  if (match_.length == 0) return {};
  return Continuation(tokens, match_.next, count);
}

}  // namespace llamero
