#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace llamero {

/// Turns bytes that arrive in pieces into whole characters. A character's bytes are held until it is complete; bytes
/// that can't become one give U+FFFD.
class Utf8Assembler {
 public:
  /// The characters that `bytes` complete.
  std::string Add(std::string_view bytes);
  /// What is left, as U+FFFD if it was the start of a character.
  std::string Finish();
  /// Whether it has the start of a character.
  bool holds() const { return !held_.empty(); }

 private:
  std::string held_;
};

/// Looks for stop strings in text that arrives in pieces. Text that may be the start of a stop string is held back, so
/// that no part of one is ever shown.
class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops);

  struct Outcome {
    std::string text;      // safe to show
    bool stopped = false;  // a stop string was found; it and what follows are dropped
  };
  Outcome Add(std::string text);
  /// What was held back for a stop string that never came.
  std::string Finish();

 private:
  size_t LengthOfPossibleStart() const;

  std::vector<std::string> stops_;
  std::string held_;
};

/// Bytes of tokens → characters → text without stop strings.
class TextAssembler {
 public:
  explicit TextAssembler(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  StopMatcher::Outcome Add(std::string_view piece) { return stops_.Add(characters_.Add(piece)); }
  std::string Finish();

 private:
  Utf8Assembler characters_;
  StopMatcher stops_;
};

}  // namespace llamero
