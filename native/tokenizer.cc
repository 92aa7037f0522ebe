#include "tokenizer.h"

#include <limits>

#include "engine/text.h"
#include "failure.h"

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
  if (count == std::numeric_limits<int32_t>::min()) throw Failure("ERR_OPTION_INVALID", "The text has too many tokens.");
  if (count < 0) {
    tokens.resize(-count);
    count = llama_tokenize(model.vocab(), text.data(), length, tokens.data(), -count, add_special, parse_special);
  }
  tokens.resize(count);
  return tokens;
}

bool HoldsSpecialText(const Model& model, std::string_view text) {
  for (const auto& [special, token] : model.special_texts()) {
    if (text.find(special) != std::string_view::npos) return true;
  }
  return false;
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
      run_ += text.substr(0, at);
      Flush();
      tokens_.push_back(found->second);
      text.remove_prefix(at + found->first.size());
    }
    run_ += text;
  }

  void AddPlain(std::string_view text) { run_ += text; }

  std::vector<llama_token> Take() {
    Flush();
    return std::move(tokens_);
  }

 private:
  void Flush() {
    if (run_.empty()) return;
    const auto tokens = TokenizeText(model_, run_, false, false);
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    run_.clear();
  }

  const Model& model_;
  std::string run_;
  std::vector<llama_token> tokens_;
};

}  // namespace

std::vector<llama_token> Tokenize(const Model& model, std::span<const TextPart> parts, bool add_special) {
  bool forged = false;
  bool any_trusted = false;
  std::string whole;
  for (const TextPart& part : parts) {
    whole += part.text;
    any_trusted = any_trusted || part.trusted;
    forged = forged || (!part.trusted && HoldsSpecialText(model, part.text));
  }
  if (!any_trusted || !forged) return TokenizeText(model, whole, add_special, any_trusted);

  PlainRuns runs(model);
  for (const TextPart& part : parts) {
    if (part.trusted) {
      runs.AddTrusted(part.text);
    } else {
      runs.AddPlain(part.text);
    }
  }
  std::vector<llama_token> tokens = runs.Take();
  const llama_token bos = llama_vocab_bos(model.vocab());
  const llama_token eos = llama_vocab_eos(model.vocab());
  if (add_special && llama_vocab_get_add_bos(model.vocab()) && bos >= 0) tokens.insert(tokens.begin(), bos);
  if (add_special && llama_vocab_get_add_eos(model.vocab()) && eos >= 0) tokens.push_back(eos);
  return tokens;
}

std::string Detokenize(const Model& model, std::span<const llama_token> tokens, bool remove_special,
                       bool render_special) {
  const auto count = static_cast<int32_t>(tokens.size());
  std::string text(tokens.size() * 8 + 16, '\0');
  int32_t length = llama_detokenize(model.vocab(), tokens.data(), count, text.data(), static_cast<int32_t>(text.size()),
                                    remove_special, render_special);
  if (length < 0) {
    text.resize(-length);
    length = llama_detokenize(model.vocab(), tokens.data(), count, text.data(), -length, remove_special, render_special);
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
