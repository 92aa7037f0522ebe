#include "engine/grammar_parser.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "failure.h"

namespace llamero {
namespace {

constexpr uint32_t kLastCodePoint = 0x10FFFF;
// lib/model/grammar-parser.ts allows less of each; these keep a mistake there from becoming an endless loop here.
constexpr int kMostNesting = 256;
constexpr size_t kMostElements = 4'000'000;
constexpr uint64_t kMostTimes = 100'000;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWord(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || IsDigit(c); }

CodePointSet Merged(CodePointSet ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  CodePointSet merged;
  for (const CodePointRange& range : ranges) {
    if (range.first > range.last) continue;
    if (!merged.empty() && range.first <= merged.back().last + 1) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

CodePointSet Complement(const CodePointSet& ranges) {
  CodePointSet rest;
  uint32_t next = 0;
  for (const CodePointRange& range : ranges) {
    if (range.first > next) rest.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLastCodePoint) rest.push_back({next, kLastCodePoint});
  return rest;
}

class Parser {
 public:
  Parser(std::string_view text, const llama_vocab* vocab) : text_(text), vocab_(vocab) {}

  ParsedGrammar Parse() {
    SkipSpace(true);
    while (at_ < text_.size()) ReadRule();
    const auto root = names_.find("root");
    if (root == names_.end()) Fail("it has no rule named root");
    for (const auto& [name, rule] : names_) {
      if (grammar_.rules[rule].empty()) Fail("there is no rule named \"" + name + "\"");
    }
    grammar_.root = root->second;
    return std::move(grammar_);
  }

 private:
  using Sequence = std::vector<GrammarElement>;

  [[noreturn]] static void Fail(const std::string& reason) {
    throw Failure("ERR_GRAMMAR", "The grammar is not valid: " + reason + ".");
  }

  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void Expect(std::string_view sign) {
    if (text_.substr(at_, sign.size()) != sign) Fail("there is no " + std::string(sign) + " where it should be");
    at_ += sign.size();
  }

  void SkipSpace(bool newlines) {
    for (; at_ < text_.size(); at_++) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find_first_of("\r\n", at_), text_.size()) - 1;
      } else if (c != ' ' && c != '\t' && !(newlines && (c == '\r' || c == '\n'))) {
        return;
      }
    }
  }

  std::string ReadName() {
    const size_t from = at_;
    while (IsWord(Peek())) at_++;
    if (at_ == from) Fail("a name is missing");
    return std::string(text_.substr(from, at_ - from));
  }

  uint64_t ReadNumber() {
    uint64_t number = 0;
    if (!IsDigit(Peek())) Fail("a number is missing");
    for (; IsDigit(Peek()); at_++) number = std::min<uint64_t>(number * 10 + (Peek() - '0'), UINT32_MAX);
    return number;
  }

  uint32_t RuleNamed(const std::string& name) {
    const auto [found, added] = names_.try_emplace(name, static_cast<uint32_t>(grammar_.rules.size()));
    if (added) grammar_.rules.emplace_back();
    return found->second;
  }

  uint32_t AddRule(ParsedRule rule) {
    for (const Sequence& way : rule) Count(way.size() + 1);
    grammar_.rules.push_back(std::move(rule));
    return static_cast<uint32_t>(grammar_.rules.size() - 1);
  }

  void Count(size_t elements) {
    elements_ += elements;
    if (elements_ > kMostElements) Fail("its repetitions are too large");
  }

  void ReadRule() {
    const uint32_t rule = RuleNamed(ReadName());
    SkipSpace(false);
    Expect("::=");
    SkipSpace(true);
    ParsedRule ways = ReadWays(0);
    for (const Sequence& way : ways) Count(way.size() + 1);
    grammar_.rules[rule] = std::move(ways);
    if (at_ < text_.size() && Peek() != '\r' && Peek() != '\n') Fail("a rule does not end where it should");
    SkipSpace(true);
  }

  ParsedRule ReadWays(int depth) {
    if (depth > kMostNesting) Fail("its parentheses are nested too deep");
    ParsedRule ways = {ReadSequence(depth)};
    while (Peek() == '|') {
      at_++;
      SkipSpace(true);
      ways.push_back(ReadSequence(depth));
    }
    return ways;
  }

  Sequence ReadSequence(int depth) {
    Sequence sequence;
    size_t item = 0;  // where the latest one begins
    for (;;) {
      const char c = Peek();
      if (c == '*' || c == '+' || c == '?' || c == '{') {
        Repeat(sequence, item, depth > 0);
      } else {
        const size_t begin = sequence.size();
        if (!ReadItem(sequence, depth)) return sequence;
        item = begin;
      }
      SkipSpace(depth > 0);
    }
  }

  bool ReadItem(Sequence& sequence, int depth) {
    const char c = Peek();
    if (c == '"') {
      at_++;
      while (Peek() != '"') sequence.push_back(Character(ReadCharacter()));
      at_++;
    } else if (c == '[') {
      at_++;
      ReadClass(sequence);
    } else if (c == '.') {
      at_++;
      sequence.push_back(AddSet({{0, kLastCodePoint}}));
    } else if (c == '<' || c == '!') {
      sequence.push_back(ReadToken());
    } else if (IsWord(c)) {
      sequence.push_back({GrammarSign::kRule, RuleNamed(ReadName())});
    } else if (c == '(') {
      at_++;
      SkipSpace(true);
      const uint32_t rule = AddRule(ReadWays(depth + 1));
      Expect(")");
      sequence.push_back({GrammarSign::kRule, rule});
    } else {
      return false;
    }
    return true;
  }

  GrammarElement Character(uint32_t code_point) { return AddSet({{code_point, code_point}}); }

  GrammarElement AddSet(CodePointSet set) {
    std::vector<uint32_t> key;
    for (const CodePointRange& range : set) key.insert(key.end(), {range.first, range.last});
    const auto [found, added] = sets_.try_emplace(std::move(key), static_cast<uint32_t>(grammar_.sets.size()));
    if (added) grammar_.sets.push_back(std::move(set));
    return {GrammarSign::kCharacter, found->second};
  }

  void ReadClass(Sequence& sequence) {
    const bool negated = Peek() == '^';
    if (negated) at_++;
    CodePointSet ranges;
    while (Peek() != ']') {
      const uint32_t first = ReadCharacter();
      uint32_t last = first;
      if (Peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        at_++;
        last = ReadCharacter();
      }
      ranges.push_back({first, last});
    }
    at_++;
    if (ranges.empty()) return;  // as in llama.cpp: no element at all
    const CodePointSet merged = Merged(std::move(ranges));
    sequence.push_back(AddSet(negated ? Complement(merged) : merged));
  }

  GrammarElement ReadToken() {
    const bool other = Peek() == '!';
    if (other) at_++;
    const GrammarSign sign = other ? GrammarSign::kOtherToken : GrammarSign::kToken;
    const size_t from = at_;
    Expect("<");
    if (Peek() == '[') {
      at_++;
      const auto token = static_cast<uint32_t>(ReadNumber());
      Expect("]>");
      return {sign, token};
    }
    const size_t end = text_.find('>', at_);
    if (end == std::string_view::npos) Fail("a token does not end");
    at_ = end + 1;
    const std::string_view text = text_.substr(from, at_ - from);
    llama_token tokens[2];
    const int count = llama_tokenize(vocab_, text.data(), static_cast<int32_t>(text.size()), tokens, 2, false, true);
    if (count != 1) Fail("\"" + std::string(text) + "\" is not one token");
    return {sign, static_cast<uint32_t>(tokens[0])};
  }

  uint32_t ReadCharacter() {
    if (at_ >= text_.size()) Fail("a literal or class does not end");
    const char c = text_[at_++];
    if (c != '\\') return ReadUtf8(static_cast<unsigned char>(c));
    const char escape = Peek();
    at_++;
    switch (escape) {
      case 'x':
        return ReadHex(2);
      case 'u':
        return ReadHex(4);
      case 'U':
        return ReadHex(8);
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'n':
        return '\n';
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
        return static_cast<unsigned char>(escape);
      default:
        Fail("an escape is not one");
    }
  }

  uint32_t ReadHex(int digits) {
    uint32_t value = 0;
    for (int i = 0; i < digits; i++, at_++) {
      const char c = Peek();
      const int digit = IsDigit(c)               ? c - '0'
                        : (c >= 'a' && c <= 'f') ? c - 'a' + 10
                        : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                                 : -1;
      if (digit < 0) Fail("an escape needs more hexadecimal digits");
      value = value * 16 + static_cast<uint32_t>(digit);
    }
    return std::min(value, kLastCodePoint + 1);  // what is beyond the last one never matches
  }

  uint32_t ReadUtf8(unsigned char first) {
    const int more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    uint32_t value = more == 0 ? first : first & (0x3Fu >> more);
    for (int i = 0; i < more; i++) value = value << 6 | (static_cast<unsigned char>(Peek()) & 0x3F), at_++;
    return value;
  }

  /// The signs behind an item: it becomes copies and rules. S{m,n}: S m times, then S' ::= S S'' | nothing, and so on;
  /// S{m,}: S m times, then S' ::= S S' | nothing.
  void Repeat(Sequence& sequence, size_t item, bool nested) {
    const char sign = Peek();
    at_++;
    uint64_t least = sign == '+' ? 1 : 0;
    std::optional<uint64_t> most = sign == '?' ? std::optional<uint64_t>(1) : std::nullopt;
    if (sign == '{') {
      SkipSpace(nested);
      least = ReadNumber();
      most = least;
      SkipSpace(nested);
      if (Peek() == ',') {
        at_++;
        SkipSpace(nested);
        most = IsDigit(Peek()) ? std::optional(ReadNumber()) : std::nullopt;
        SkipSpace(nested);
      }
      Expect("}");
      if (least > most.value_or(least) || most.value_or(least) > kMostTimes) Fail("a repetition has bad bounds");
    }
    const Sequence once(sequence.begin() + static_cast<std::ptrdiff_t>(item), sequence.end());
    if (once.empty()) return;  // of nothing
    Count(once.size() * least);
    sequence.resize(item);
    for (uint64_t i = 0; i < least; i++) sequence.insert(sequence.end(), once.begin(), once.end());
    if (!most) {
      Sequence way = once;
      way.push_back({GrammarSign::kRule, static_cast<uint32_t>(grammar_.rules.size())});
      sequence.push_back({GrammarSign::kRule, AddRule({way, {}})});
      return;
    }
    std::optional<uint32_t> rest;
    for (uint64_t i = least; i < *most; i++) {
      Sequence way = once;
      if (rest) way.push_back({GrammarSign::kRule, *rest});
      rest = AddRule({std::move(way), {}});
    }
    if (rest) sequence.push_back({GrammarSign::kRule, *rest});
  }

  std::string_view text_;
  const llama_vocab* vocab_;
  size_t at_ = 0;
  size_t elements_ = 0;
  std::map<std::string, uint32_t> names_;
  std::map<std::vector<uint32_t>, uint32_t> sets_;
  ParsedGrammar grammar_;
};

}  // namespace

ParsedGrammar ParseGrammar(std::string_view text, const llama_vocab* vocab) { return Parser(text, vocab).Parse(); }

}  // namespace llamero
