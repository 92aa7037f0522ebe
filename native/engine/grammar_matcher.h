#pragma once

#include <llama.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/grammar_automaton.h"
#include "engine/token_mask.h"
#include "engine/token_trie.h"
#include "model.h"

namespace llamero {

/// A grammar for one vocabulary, shared by all requests that have it, and what they found out about it: its states, and
/// the tokens that each of them allows. Safe for threads: one at a time is in it.
class CompiledGrammar {
 public:
  /// REQUIRES: checkGrammar of lib/model/grammar.ts let the text pass; `model` outlives this.
  /// `written` are special tokens that stand for their text. Throws Failure: ERR_GRAMMAR.
  CompiledGrammar(const Model& model, std::shared_ptr<const TokenTexts> texts, const std::string& text,
                  const std::vector<llama_token>& written);

  /// What it takes by now.
  size_t bytes() const;

 private:
  friend class GrammarMatcher;

  /// An automaton and the masks of its states; replaced by a fresh one when it has grown large.
  struct Found {
    Found(const GrammarRules& rules, std::span<const uint32_t> plain) : automaton(rules, plain) {}
    GrammarAutomaton automaton;
    std::vector<std::shared_ptr<const TokenMask>> masks;
    size_t mask_bytes = 0;
  };

  struct WrittenToken {
    llama_token token;
    std::string text;
    std::vector<uint32_t> code_points;
  };

  const std::string& TextOf(llama_token token) const;
  const TokenMask& MaskOf(Found& found, GrammarAutomaton::State state);
  TokenSet AllowedIn(GrammarAutomaton& automaton, GrammarAutomaton::State state) const;
  void AddTexts(GrammarAutomaton& automaton, GrammarAutomaton::State state, const TokenTrie& trie,
                TokenSet& allowed) const;

  const Model& model_;
  std::shared_ptr<const TokenTexts> texts_;
  const std::vector<WrittenToken> written_;
  const GrammarRules rules_;
  /// The classes of plain characters.
  const std::vector<uint32_t> plain_;
  mutable std::mutex mutex_;
  std::shared_ptr<Found> found_;
};

/// Where one answer stands in a grammar.
class GrammarMatcher {
 public:
  explicit GrammarMatcher(std::shared_ptr<CompiledGrammar> grammar);

  /// Sets the logits of all tokens that may not come next to minus infinity.
  void Mask(std::span<float> row);
  /// Goes on behind a token. Throws Failure: ERR_GRAMMAR if it may not come next.
  void Accept(llama_token token);
  /// Goes on behind text. Throws Failure: ERR_GRAMMAR if it may not come next.
  void AcceptText(std::string_view text);

 private:
  /// Before each use, with the lock: moves over to a fresh automaton when there is one, or when this one is full.
  void Refresh();
  GrammarAutomaton::State Behind(const DecodedPiece& piece) const;
  void MaskInsideCharacter(std::span<float> row) const;
  bool Allows(std::string_view bytes) const;

  std::shared_ptr<CompiledGrammar> grammar_;
  std::shared_ptr<CompiledGrammar::Found> found_;
  GrammarAutomaton::State state_;
  Utf8Tail tail_;
};

}  // namespace llamero
