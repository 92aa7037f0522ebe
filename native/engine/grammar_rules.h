#pragma once

#include <llama.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llamero {

/// What stands at a place in a rule.
enum class GrammarSign : uint8_t { kEnd, kRule, kCharacter, kToken, kOtherToken };

struct GrammarElement {
  GrammarSign sign;
  /// The rule, the set of characters, or the token.
  uint32_t value;
};

/// Code points from `first` to `last`.
struct CodePointRange {
  uint32_t first;
  uint32_t last;
};

using CodePointSet = std::vector<CodePointRange>;

/// A GBNF grammar, read as llama.cpp reads it: repetitions become rules of their own. Immutable.
///
/// Code points that no set of the grammar tells apart form a class; what follows a place is the same for all of a class.
class GrammarRules {
 public:
  /// REQUIRES: checkGrammar of lib/model/grammar.ts let the text pass, which bounds its nesting and its size.
  /// Throws Failure: ERR_GRAMMAR.
  GrammarRules(std::string_view text, const llama_vocab* vocab);

  const GrammarElement& element(uint32_t place) const { return elements_[place]; }
  /// The places at which the ways of a rule begin; each ends with kEnd.
  std::span<const uint32_t> ways(uint32_t rule) const { return ways_[rule]; }
  uint32_t root() const { return root_; }

  uint32_t class_count() const { return static_cast<uint32_t>(bounds_.size()) + 1; }
  uint32_t ClassOf(uint32_t code_point) const {
    return code_point < kPlain ? plain_[code_point] : FindClass(code_point);
  }
  /// Whether a set holds the code points of a class.
  bool Holds(uint32_t set, uint32_t code_class) const;

  size_t bytes() const { return bytes_; }

 private:
  static constexpr uint32_t kPlain = 128;

  uint32_t FindClass(uint32_t code_point) const;

  std::vector<GrammarElement> elements_;
  std::vector<std::vector<uint32_t>> ways_;
  std::vector<CodePointSet> sets_;
  /// Where a new class begins, ascending.
  std::vector<uint32_t> bounds_;
  std::array<uint32_t, kPlain> plain_{};
  uint32_t root_ = 0;
  size_t bytes_ = 0;
};

}  // namespace llamero
