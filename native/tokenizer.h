#pragma once

#include <llama.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model.h"

namespace llamero {

/// A run of prompt text. Special tokens are parsed only in trusted runs, so text of a user can't forge a role.
struct TextPart {
  std::string text;
  bool trusted = false;
};

/// Tokens of the concatenated parts. Where no untrusted part holds a special token's text the whole is tokenized in
/// one go, as llama.cpp's own tools do; otherwise the trusted special tokens cut it into plain runs.
/// REQUIRES: a stack of StackForText(length of the text).
std::vector<llama_token> Tokenize(const Model& model, std::span<const TextPart> parts, bool add_special);

/// Tokens of text of a template in the middle of a prompt, special ones included: without the blank that some
/// vocabularies put before a text. Safe on any stack.
std::vector<llama_token> TokensOfTemplate(const Model& model, const std::string& text);

/// The text of whole tokens, with the vocabulary's own clean-up of spaces. Throws Failure: ERR_OPTION_INVALID for more
/// than 1 GiB. REQUIRES: every id is a token of the model.
std::string Detokenize(const Model& model, std::span<const llama_token> tokens, bool remove_special,
                       bool render_special);

/// Stack that tokenizing so many bytes may need: some pre-tokenizers recurse in std::regex, about 300 bytes of stack
/// for each character (measured: 26,361 letters overflow 8 MiB).
size_t StackForText(size_t bytes);

/// `bytes` with everything that is not well-formed UTF-8 replaced by U+FFFD.
std::string WellFormedUtf8(std::string_view bytes);

}  // namespace llamero
