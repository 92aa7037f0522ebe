#pragma once

#include <llama.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "engine/request.h"
#include "engine/text.h"
#include "model.h"

namespace llamero {

/// Follows where an answer thinks, and cuts thinking short when its tokens are used up: from then on a closing text is
/// dictated. The rules are those of llama.cpp's common_reasoning_budget, but tags are looked for in the text, since they
/// need not be cut into the same tokens every time.
class Thinking {
 public:
  Thinking(std::shared_ptr<const Model> model, const ThinkingSpec& spec);

  bool inside() const { return state_ != State::kOutside; }
  /// The token that must come next.
  std::optional<llama_token> dictated() const;

  /// The answer has one token more. When thinking ended with it: the tokens that hold the tag at its end.
  std::vector<llama_token> Accept(llama_token token);

 private:
  enum class State { kOutside, kInside, kClosing };
  struct Piece {
    llama_token token;  // LLAMA_TOKEN_NULL: text of the prompt
    size_t length;
  };

  void Append(Piece piece, const std::string& text);
  void Search();
  void Trim();
  void CloseIfSpent();
  std::vector<llama_token> TokensFrom(size_t at) const;

  std::shared_ptr<const Model> model_;
  ThinkingSpec spec_;
  std::vector<llama_token> closing_;
  State state_ = State::kOutside;
  int64_t left_ = 0;          // tokens of thinking
  size_t dictated_ = 0;       // of closing_
  std::string window_;        // the end of the text
  std::deque<Piece> pieces_;  // of the window
  size_t from_ = 0;           // where the last tag in it ended
  size_t end_tag_ = 0;        // where the last tag that ended thinking began in it
  Utf8Assembler characters_;
};

}  // namespace llamero
