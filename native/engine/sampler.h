#pragma once

#include <llama-cpp.h>

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/grammar_matcher.h"
#include "engine/grammar_triggers.h"
#include "engine/request.h"
#include "engine/thinking.h"
#include "model.h"

namespace llamero {

/// How often each of the last n tokens occurred: what repetition penalties look at.
class RecentTokens {
 public:
  explicit RecentTokens(size_t capacity) : capacity_(capacity) {}
  void Add(llama_token token);
  const std::unordered_map<llama_token, int>& counts() const { return counts_; }

 private:
  size_t capacity_;
  std::deque<llama_token> order_;
  std::unordered_map<llama_token, int> counts_;
};

/// Chooses the tokens of one sequence. The order of samplers is that of llama.cpp's common_sampler: bias, penalties,
/// dry, top-k, typical, top-p, min-p, xtc, temperature, then the draw.
///
/// A grammar comes before all of them but bias and penalties: what it forbids is as if it were not in the vocabulary, so
/// that every sampler sees the same as if the model could say nothing else.
///
/// Two things keep it off the critical path between two decodes: bias and penalties touch only their few entries of the
/// row, and the k best are selected from the raw row, so that no array of the whole vocabulary is built unless a
/// setting needs one.
class Sampler {
 public:
  /// Throws Failure: ERR_GRAMMAR for a grammar that llama.cpp refuses, or that refuses its prefix.
  Sampler(std::shared_ptr<const Model> model, const SamplerSpec& spec, bool ignore_end,
          std::span<const llama_token> prompt);

  struct Choice {
    llama_token token = LLAMA_TOKEN_NULL;
    /// The chosen token first, then the most likely ones; empty unless asked for.
    std::vector<TokenLogprob> logprobs;
  };

  /// Chooses from a row of logits, one per token of the vocabulary, and remembers the choice. Changes the row.
  /// `logprobs` alternatives are reported, none if negative. Throws Failure: ERR_ENGINE_CRASHED if no logit is finite,
  /// ERR_GRAMMAR if the grammar can't go on.
  Choice Sample(std::span<float> row, int logprobs);

 private:
  void Adjust(std::span<float> row) const;
  llama_token Choose(std::span<float> row);
  void Hold(std::span<float> row);
  llama_token Draw(std::span<const float> row);
  void FillCandidates(std::span<const float> row);
  void FillTopCandidates(std::span<const float> row, size_t k);
  llama_token Select();
  bool grammar_listens() const;
  void Accept(llama_token token);
  void AcceptInGrammar(llama_token token);
  void EndThinkingIfSpoken(llama_token token);

  std::shared_ptr<const Model> model_;
  SamplerSpec spec_;
  RecentTokens recent_;
  std::vector<llama_token> forbidden_;
  bool greedy_;
  bool needs_whole_row_;
  llama_sampler_ptr chain_;
  std::optional<GrammarMatcher> grammar_;
  std::optional<GrammarTriggers> triggers_;  // while a lazy grammar waits
  std::optional<Thinking> thinking_;
  std::string opening_;  // what was said so far, as long as it may begin thinking
  std::vector<llama_token_data> candidates_;
  bool sorted_ = false;
};

}  // namespace llamero
