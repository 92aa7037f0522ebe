#include "engine/grammar_rules.h"

#include <algorithm>

#include "engine/grammar_parser.h"

namespace llamero {

GrammarRules::GrammarRules(std::string_view text, const llama_vocab* vocab) {
  ParsedGrammar parsed = ParseGrammar(text, vocab);
  root_ = parsed.root;
  for (const ParsedRule& rule : parsed.rules) {
    std::vector<uint32_t>& starts = ways_.emplace_back();
    for (const auto& way : rule) {
      starts.push_back(static_cast<uint32_t>(elements_.size()));
      elements_.insert(elements_.end(), way.begin(), way.end());
      elements_.push_back({GrammarSign::kEnd, 0});
    }
    bytes_ += sizeof(starts) + starts.capacity() * sizeof(uint32_t);
  }
  sets_ = std::move(parsed.sets);
  for (const CodePointSet& set : sets_) {
    for (const CodePointRange& range : set) bounds_.insert(bounds_.end(), {range.first, range.last + 1});
    bytes_ += sizeof(set) + set.size() * sizeof(CodePointRange);
  }
  std::sort(bounds_.begin(), bounds_.end());
  bounds_.erase(std::unique(bounds_.begin(), bounds_.end()), bounds_.end());
  for (uint32_t code_point = 0; code_point < kPlain; code_point++) plain_[code_point] = FindClass(code_point);
  bytes_ += elements_.capacity() * sizeof(GrammarElement) + bounds_.capacity() * sizeof(uint32_t) + sizeof(*this);
}

uint32_t GrammarRules::FindClass(uint32_t code_point) const {
  return static_cast<uint32_t>(std::upper_bound(bounds_.begin(), bounds_.end(), code_point) - bounds_.begin());
}

bool GrammarRules::Holds(uint32_t set, uint32_t code_class) const {
  const uint32_t code_point = code_class == 0 ? 0 : bounds_[code_class - 1];
  const CodePointSet& ranges = sets_[set];
  const auto after = std::partition_point(ranges.begin(), ranges.end(),
                                          [&](const CodePointRange& range) { return range.last < code_point; });
  return after != ranges.end() && after->first <= code_point;
}

}  // namespace llamero
