#pragma once

#include <llama.h>

#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "engine/request.h"

namespace llamero {

/// Watches for what makes a lazy grammar bind, as llama.cpp's lazy grammars do: a token, or a pattern in the text since
/// the answer's beginning. Only the last kilobytes are looked at, so that a long answer costs no more for each token; a token of
/// more than these triggers nothing by its text.
class GrammarTriggers {
 public:
  /// Throws Failure: ERR_GRAMMAR for a pattern that is no regular expression.
  explicit GrammarTriggers(const std::vector<GrammarTrigger>& triggers);

  /// What the grammar has to accept from a token on.
  struct Piece {
    llama_token token;
    /// The token's text, or the end of it where the trigger begins within.
    std::string text;
    bool is_whole;
  };

  /// The answer has one token more. When a trigger came with it: everything from the trigger's beginning on.
  std::optional<std::vector<Piece>> Accept(llama_token token, const std::string& text);

 private:
  struct Pattern {
    std::regex regex;
    bool from_beginning;
    bool to_end;
  };

  std::optional<size_t> Find(const Pattern& pattern) const;
  std::vector<Piece> PiecesFrom(size_t at) const;
  void Trim();

  std::vector<llama_token> tokens_;
  std::vector<Pattern> patterns_;
  std::string text_;
  std::vector<Piece> pieces_;  // of the text
  bool is_trimmed_ = false;
};

}  // namespace llamero
