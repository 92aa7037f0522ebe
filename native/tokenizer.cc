#include "tokenizer.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <set>

#include "engine/text.h"
#include "failure.h"
#include "thread.h"

namespace llamero {
namespace {

std::vector<llama_token> TokenizeText(const Model& model, std::string_view text, bool add_special, bool parse_special) {
  if (text.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    throw Failure("ERR_OPTION_INVALID", "The text is longer than 2 GiB.");
  }
  const auto length = static_cast<int32_t>(text.size());
  // A token has at least one byte, but for BOS, EOS and a prefix.
  std::vector<llama_token> tokens(text.size() + 4);
  int32_t count = llama_tokenize(model.vocab(), text.data(), length, tokens.data(), static_cast<int32_t>(tokens.size()),
                                 add_special, parse_special);
  if (count == std::numeric_limits<int32_t>::min())
    throw Failure("ERR_OPTION_INVALID", "The text has too many tokens.");
  if (count < 0) {
    tokens.resize(-count);
    count = llama_tokenize(model.vocab(), text.data(), length, tokens.data(), -count, add_special, parse_special);
  }
  tokens.resize(count);
  return tokens;
}

struct Range {
  size_t begin;
  size_t end;
};

/// REQUIRES: `ranges` are in order.
bool Touches(const std::vector<Range>& ranges, Range range) {
  const auto after =
      std::partition_point(ranges.begin(), ranges.end(), [&](const Range& each) { return each.end <= range.begin; });
  return after != ranges.end() && after->begin < range.end;
}

/// Whether a special token's text lies in `whole` with at least one byte of it from an untrusted part. Two parts that
/// only together make one count too.
bool IsForged(const Model& model, std::string_view whole, const std::vector<Range>& untrusted) {
  if (untrusted.empty()) return false;
  for (const auto& [special, token] : model.special_texts()) {
    for (size_t at = whole.find(special); at != std::string_view::npos; at = whole.find(special, at + 1)) {
      if (Touches(untrusted, {at, at + special.size()})) return true;
    }
  }
  return false;
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

size_t FirstCharacterLength(std::string_view text) {
  size_t length = 1;
  while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) length++;
  return length;
}

/// Tokenizes text in which nothing is special.
std::vector<llama_token> TokenizePlain(const Model& model, std::string_view text) {
  std::vector<llama_token> tokens = TokenizeText(model, text, false, false);
  const auto is_control = [&](llama_token token) {
    return (llama_vocab_get_attr(model.vocab(), token) & LLAMA_TOKEN_ATTR_CONTROL) != 0;
  };
  if (std::none_of(tokens.begin(), tokens.end(), is_control)) return tokens;

  // Plain merges can lead to the text of a control token: llama.cpp's SentencePiece looks up any text. Such a text is
  // cut behind its first character, so that nothing puts it together.
  std::set<size_t> cuts = {0, text.size()};
  for (const auto& [special, token] : model.special_texts()) {
    for (size_t at = text.find(special); at != std::string_view::npos; at = text.find(special, at + 1)) {
      cuts.insert(at + FirstCharacterLength(special));
    }
  }
  tokens.clear();
  for (auto from = cuts.begin(), to = std::next(from); to != cuts.end(); from = to++) {
    const auto more = TokenizeText(model, text.substr(*from, *to - *from), false, false);
    std::remove_copy_if(more.begin(), more.end(), std::back_inserter(tokens), is_control);
  }
  return tokens;
}

/// Cuts trusted text at its special tokens and joins everything between them into runs that are parsed as plain text.
class PlainRuns {
 public:
  explicit PlainRuns(const Model& model) : model_(model) {}

  void AddTrusted(std::string_view text) {
    while (!text.empty()) {
      size_t at = std::string_view::npos;
      const std::pair<std::string, llama_token>* found = nullptr;
      for (const auto& special : model_.special_texts()) {
        const size_t position = text.find(special.first);
        if (position < at) at = position, found = &special;  // longest first: at one position the longest wins
      }
      if (found == nullptr) break;
      AddPlain(text.substr(0, at));
      AddSpecial(found->second);
      text.remove_prefix(at + found->first.size());
    }
    AddPlain(text);
  }

  void AddPlain(std::string_view text) {
    // Some special tokens swallow the blanks beside them, also in llama.cpp (Phi-3).
    while (strips_ && !text.empty() && IsSpace(text.front())) text.remove_prefix(1);
    if (!text.empty()) strips_ = false;
    run_ += text;
  }

  std::vector<llama_token> Take() {
    Flush();
    return std::move(tokens_);
  }

 private:
  void AddSpecial(llama_token token) {
    const auto attributes = llama_vocab_get_attr(model_.vocab(), token);
    while ((attributes & LLAMA_TOKEN_ATTR_LSTRIP) != 0 && !run_.empty() && IsSpace(run_.back())) run_.pop_back();
    Flush();
    tokens_.push_back(token);
    strips_ = (attributes & LLAMA_TOKEN_ATTR_RSTRIP) != 0;
  }

  void Flush() {
    if (run_.empty()) return;
    const auto tokens = TokenizePlain(model_, run_);
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    run_.clear();
  }

  const Model& model_;
  std::string run_;
  bool strips_ = false;
  std::vector<llama_token> tokens_;
};

/// Puts what the vocabulary wants around a text: what llama.cpp makes of an empty one.
void AddFrame(const Model& model, std::vector<llama_token>& tokens) {
  const auto frame = TokenizeText(model, "", true, false);
  const bool begins = !frame.empty() && frame.front() == llama_vocab_bos(model.vocab());
  const auto end = frame.begin() + (begins ? 1 : 0);
  tokens.insert(tokens.begin(), frame.begin(), end);
  tokens.insert(tokens.end(), end, frame.end());
}

// For a text of tokens, at first.
constexpr size_t kRoomForToken = 8;
constexpr size_t kLeastRoom = 16;

/// llama.cpp adds up the bytes in 32 bits and, beyond them, writes where it should not.
void RequireLength(const Model& model, std::span<const llama_token> tokens) {
  constexpr size_t kMostBytes = size_t{1} << 30;
  size_t bytes = kLeastRoom + tokens.size() * kRoomForToken;
  for (const llama_token token : tokens) {
    const std::string& piece = model.Piece(token);
    if (bytes <= kMostBytes) bytes += piece.empty() ? model.WrittenPiece(token).size() : piece.size();
  }
  if (bytes > kMostBytes) throw Failure("ERR_OPTION_INVALID", "The text of these tokens is longer than 1 GiB.");
}

}  // namespace

std::vector<llama_token> Tokenize(const Model& model, std::span<const TextPart> parts, bool add_special) {
  std::string whole;
  std::vector<Range> untrusted;
  bool any_trusted = false;
  for (const TextPart& part : parts) {
    if (!part.trusted) untrusted.push_back({whole.size(), whole.size() + part.text.size()});
    any_trusted = any_trusted || part.trusted;
    whole += part.text;
  }
  std::erase_if(untrusted, [](const Range& range) { return range.begin == range.end; });
  if (!IsForged(model, whole, untrusted)) return TokenizeText(model, whole, add_special, any_trusted);

  PlainRuns runs(model);
  size_t trusted_from = 0;
  const std::string_view text = whole;
  for (const Range& range : untrusted) {
    runs.AddTrusted(text.substr(trusted_from, range.begin - trusted_from));
    runs.AddPlain(text.substr(range.begin, range.end - range.begin));
    trusted_from = range.end;
  }
  runs.AddTrusted(text.substr(trusted_from));
  std::vector<llama_token> tokens = runs.Take();
  if (add_special) AddFrame(model, tokens);
  return tokens;
}

std::vector<llama_token> TokensOfTemplate(const Model& model, const std::string& text) {
  constexpr size_t kSafeOnAnyStack = 1024;
  std::vector<llama_token> tokens;
  std::optional<Failure> failure;
  const auto tokenize = [&] {
    try {
      const TextPart part{text, true};
      tokens = Tokenize(model, {&part, 1}, false);
    } catch (...) {
      failure = CurrentFailure();
    }
  };
  if (text.size() <= kSafeOnAnyStack) {
    tokenize();
  } else {
    Thread(tokenize, StackForText(text.size())).Join();
  }
  if (failure) throw *failure;
  const auto begins_with_blank = [](const std::string& some) { return !some.empty() && IsSpace(some.front()); };
  if (!tokens.empty() && begins_with_blank(model.WrittenPiece(tokens.front())) && !begins_with_blank(text)) {
    tokens.erase(tokens.begin());
  }
  return tokens;
}

std::string Detokenize(const Model& model, std::span<const llama_token> tokens, bool remove_special,
                       bool render_special) {
  RequireLength(model, tokens);
  const auto count = static_cast<int32_t>(tokens.size());
  std::string text(tokens.size() * kRoomForToken + kLeastRoom, '\0');
  int32_t length = llama_detokenize(model.vocab(), tokens.data(), count, text.data(), static_cast<int32_t>(text.size()),
                                    remove_special, render_special);
  if (length < 0) {
    text.resize(-length);
    length =
        llama_detokenize(model.vocab(), tokens.data(), count, text.data(), -length, remove_special, render_special);
  }
  text.resize(length);
  return WellFormedUtf8(text);
}

size_t StackForText(size_t bytes) {
  constexpr size_t kBase = size_t{64} << 20;
  constexpr size_t kPerByte = 512;
  return kBase + kPerByte * bytes;
}

std::string WellFormedUtf8(std::string_view bytes) {
  Utf8Assembler assembler;
  std::string text = assembler.Add(bytes);
  return text + assembler.Finish();
}

}  // namespace llamero
