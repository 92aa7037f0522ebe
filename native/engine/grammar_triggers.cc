#include "engine/grammar_triggers.h"

#include <algorithm>

#include "failure.h"

namespace llamero {
namespace {

/// Far longer than what any trigger of llama.cpp's formats matches.
constexpr size_t kMostText = 4096;

}  // namespace

GrammarTriggers::GrammarTriggers(const std::vector<GrammarTrigger>& triggers) {
  for (const GrammarTrigger& trigger : triggers) {
    if (trigger.pattern.empty()) {
      tokens_.push_back(trigger.token);
      continue;
    }
    try {
      const std::string& pattern = trigger.pattern;
      patterns_.push_back({std::regex(pattern), pattern.front() == '^', pattern.back() == '$'});
    } catch (const std::regex_error&) {
      throw Failure("ERR_GRAMMAR", "A trigger of the grammar is no regular expression that C++ understands.");
    }
  }
}

std::optional<std::vector<GrammarTriggers::Piece>> GrammarTriggers::Accept(llama_token token, const std::string& text) {
  if (std::find(tokens_.begin(), tokens_.end(), token) != tokens_.end()) return {{{token, text, true}}};
  // std::regex recurses with every character: what a token of a hostile vocabulary holds would overflow the stack.
  if (text.size() > kMostText) {
    text_.clear();
    pieces_.clear();
    is_trimmed_ = true;
    return std::nullopt;
  }
  text_ += text;
  pieces_.push_back({token, text, true});
  for (const Pattern& pattern : patterns_) {
    if (const auto at = Find(pattern)) return PiecesFrom(*at);
  }
  Trim();
  return std::nullopt;
}

/// Where the first group that matched begins, or the whole match.
std::optional<size_t> GrammarTriggers::Find(const Pattern& pattern) const {
  if (pattern.from_beginning && is_trimmed_) return std::nullopt;
  std::smatch match;
  const bool whole = pattern.from_beginning && pattern.to_end && std::regex_match(text_, match, pattern.regex);
  if (!whole && !std::regex_search(text_, match, pattern.regex)) return std::nullopt;
  for (size_t i = 1; i < match.size(); i++) {
    if (match.length(i) > 0) return match.position(i);
  }
  return match.position(0);
}

std::vector<GrammarTriggers::Piece> GrammarTriggers::PiecesFrom(size_t at) const {
  std::vector<Piece> found;
  size_t begin = 0;
  for (const Piece& piece : pieces_) {
    const size_t end = begin + piece.text.size();
    if (end > at) {
      const size_t skipped = at > begin ? at - begin : 0;
      found.push_back({piece.token, piece.text.substr(skipped), skipped == 0});
    }
    begin = end;
  }
  return found;
}

void GrammarTriggers::Trim() {
  if (text_.size() <= 2 * kMostText) return;
  size_t dropped = 0;
  size_t count = 0;
  while (text_.size() - dropped > kMostText) dropped += pieces_[count++].text.size();
  text_.erase(0, dropped);
  pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(count));
  is_trimmed_ = true;
}

}  // namespace llamero
