#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/grammar_cache.h"
#include "engine/logits.h"
#include "engine/media_run.h"
#include "failure.h"

namespace llamero {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Tokens further below the best than this can't enter a top-p or min-p set that anybody would ask for: all of them
// together weigh less than 1e-7 in a vocabulary of 256 k.
constexpr float kNegligible = 30;

llama_sampler_ptr MakeChain(const Model& model, const SamplerSpec& spec) {
  llama_sampler_ptr chain(llama_sampler_chain_init({.no_perf = true}));
  const auto add = [&](llama_sampler* sampler) { llama_sampler_chain_add(chain.get(), sampler); };
  const int vocabulary = model.vocabulary_size();
  if (spec.mirostat > 0) {
    constexpr int kMirostatCandidates = 100;
    add(llama_sampler_init_temp(spec.temperature));
    add(spec.mirostat == 1 ? llama_sampler_init_mirostat(vocabulary, spec.seed, spec.mirostat_tau, spec.mirostat_eta,
                                                         kMirostatCandidates)
                           : llama_sampler_init_mirostat_v2(spec.seed, spec.mirostat_tau, spec.mirostat_eta));
    return chain;
  }
  if (spec.dry_multiplier > 0) {
    std::vector<const char*> breakers;
    for (const std::string& breaker : spec.dry_breakers) breakers.push_back(breaker.c_str());
    add(llama_sampler_init_dry(model.vocab(), spec.dry_multiplier, spec.dry_base, spec.dry_allowed_length,
                               spec.dry_last_n, breakers.data(), breakers.size()));
  }
  if (spec.temperature <= 0) {
    add(llama_sampler_init_greedy());
    return chain;
  }
  constexpr size_t kMinKeep = 1;
  if (spec.top_k > 0) add(llama_sampler_init_top_k(spec.top_k));
  if (spec.typical_p < 1) add(llama_sampler_init_typical(spec.typical_p, kMinKeep));
  if (spec.top_p < 1) add(llama_sampler_init_top_p(spec.top_p, kMinKeep));
  if (spec.min_p > 0) add(llama_sampler_init_min_p(spec.min_p, kMinKeep));
  if (spec.xtc_probability > 0) {
    add(llama_sampler_init_xtc(spec.xtc_probability, spec.xtc_threshold, kMinKeep, spec.seed));
  }
  add(llama_sampler_init_temp(spec.temperature));
  add(llama_sampler_init_dist(spec.seed));
  return chain;
}

std::optional<GrammarMatcher> MakeGrammar(const Model& model, const SamplerSpec& spec) {
  if (spec.grammar.empty()) return std::nullopt;
  return GrammarMatcher(model.grammars().Get(spec.grammar, spec.written_tokens));
}

}  // namespace

void RecentTokens::Add(llama_token token) {
  if (capacity_ == 0) return;
  order_.push_back(token);
  counts_[token]++;
  if (order_.size() <= capacity_) return;
  const auto oldest = counts_.find(order_.front());
  order_.pop_front();
  if (--oldest->second == 0) counts_.erase(oldest);
}

Sampler::Sampler(std::shared_ptr<const Model> model, const SamplerSpec& spec, bool ignore_end,
                 std::span<const llama_token> prompt)
    : model_(std::move(model)),
      spec_(spec),
      recent_(spec.repeat_last_n),
      forbidden_(model_->suppressed_tokens()),
      greedy_(spec.temperature <= 0 && spec.mirostat == 0 && spec.dry_multiplier <= 0),
      needs_whole_row_(spec.mirostat > 0 || spec.dry_multiplier > 0),
      chain_(MakeChain(*model_, spec)),
      grammar_(MakeGrammar(*model_, spec)) {
  if (ignore_end) forbidden_.insert(forbidden_.end(), model_->end_tokens().begin(), model_->end_tokens().end());
  const size_t window = std::max(spec.repeat_last_n, spec.dry_multiplier > 0 ? spec.dry_last_n : 0);
  for (const llama_token token : prompt.last(std::min(prompt.size(), window))) {
    if (IsMedia(token)) continue;
    recent_.Add(token);
    llama_sampler_accept(chain_.get(), token);
  }
  if (spec.thinking) thinking_.emplace(model_, *spec.thinking);
  if (!grammar_) return;
  if (spec.grammar_lazy) {
    triggers_.emplace(spec.grammar_triggers);
  } else {
    grammar_->AcceptText(spec.grammar_prefix);
  }
}

Sampler::Choice Sampler::Sample(std::span<float> row, int logprobs) {
  const LogSum sum = logprobs >= 0 ? LogSumOf(row) : LogSum{};
  std::vector<TokenLogprob> best;
  if (logprobs > 0) best = TopLogprobs(row, logprobs, sum);
  std::vector<float> raw;
  if (logprobs >= 0) raw.assign(row.begin(), row.end());

  Adjust(row);
  Choice choice;
  choice.token = Choose(row);
  if (logprobs >= 0) {
    choice.logprobs.push_back({choice.token, raw[choice.token] - sum.value});
    choice.logprobs.insert(choice.logprobs.end(), best.begin(), best.end());
  }
  Accept(choice.token);
  return choice;
}

llama_token Sampler::Choose(std::span<float> row) {
  if (thinking_) {
    if (const auto dictated = thinking_->dictated()) return *dictated;
  }
  if (grammar_listens() && !triggers_) Hold(row);
  return Draw(row);
}

/// Inside thinking a lazy grammar that waits looks for no trigger; one that binds stays bound, whatever the answer holds.
bool Sampler::grammar_listens() const { return grammar_ && !(triggers_ && thinking_ && thinking_->inside()); }

void Sampler::Accept(llama_token token) {
  recent_.Add(token);
  if (!greedy_) llama_sampler_accept(chain_.get(), token);
  const bool listens = grammar_listens();
  if (thinking_) {
    // The tag that ends thinking may begin what triggers the grammar.
    const std::vector<llama_token> end_tag = thinking_->Accept(token);
    if (grammar_ && !listens) {
      for (const llama_token each : end_tag) AcceptInGrammar(each);
    }
  }
  if (listens) AcceptInGrammar(token);
  if (grammar_ && !spec_.grammar_lazy) EndThinkingIfSpoken(token);
}

/// Where a grammar binds from the beginning on, thinking stands before the answer or nowhere: a tag in the answer is text.
void Sampler::EndThinkingIfSpoken(llama_token token) {
  if (!thinking_ || thinking_->inside()) return;
  opening_ += model_->WrittenPiece(token);
  opening_.erase(0, std::min(opening_.find_first_not_of(" \t\n"), opening_.size()));
  if (!spec_.thinking->start.starts_with(opening_)) thinking_.reset();
}

/// A token that ends the generation is the last one: no grammar needs to see it.
void Sampler::AcceptInGrammar(llama_token token) {
  if (model_->EndsGeneration(token)) return;
  if (!triggers_) return grammar_->Accept(token);
  const auto begun = triggers_->Accept(token, model_->WrittenPiece(token));
  if (!begun) return;
  triggers_.reset();
  for (const GrammarTriggers::Piece& piece : *begun) {
    if (piece.is_whole) {
      grammar_->Accept(piece.token);
    } else {
      grammar_->AcceptText(piece.text);
    }
  }
}

/// Bias and penalties: the same arithmetic as llama.cpp's samplers, on the few entries that they concern.
void Sampler::Adjust(std::span<float> row) const {
  for (const llama_logit_bias& bias : spec_.biases) row[bias.token] += bias.bias;
  for (const llama_token token : forbidden_) row[token] = kNever;
  for (const auto& [token, count] : recent_.counts()) {
    float& logit = row[token];
    logit = logit <= 0 ? logit * spec_.repeat_penalty : logit / spec_.repeat_penalty;
    logit -= static_cast<float>(count) * spec_.frequency_penalty + spec_.presence_penalty;
  }
}

/// Leaves what the grammar allows.
void Sampler::Hold(std::span<float> row) {
  // What the model broke is not the grammar's fault: drawing says so.
  if (std::none_of(row.begin(), row.end(), [](float logit) { return std::isfinite(logit); })) return;
  grammar_->Mask(row);
  if (std::isfinite(row[ArgMax(row)])) return;
  throw Failure("ERR_GRAMMAR", "The grammar allows no further token, and no end either.");
}

llama_token Sampler::Draw(std::span<const float> row) {
  if (greedy_) {
    const auto best = ArgMax(row);
    if (!std::isfinite(row[best])) {
      throw Failure("ERR_ENGINE_CRASHED", "The model produced no finite logit; its weights may be damaged.");
    }
    return static_cast<llama_token>(best);
  }
  if (!needs_whole_row_ && spec_.top_k > 0) {
    FillTopCandidates(row, spec_.top_k);
  } else {
    FillCandidates(row);
  }
  return Select();
}

void Sampler::FillCandidates(std::span<const float> row) {
  const bool cuts = !needs_whole_row_ && (spec_.top_p < 1 || spec_.min_p > 0);
  const float least = cuts ? row[ArgMax(row)] - kNegligible : kNever;
  candidates_.clear();
  for (size_t i = 0; i < row.size(); i++) {
    if (row[i] >= least) candidates_.push_back({static_cast<llama_token>(i), row[i], 0});
  }
  sorted_ = false;
}

void Sampler::FillTopCandidates(std::span<const float> row, size_t k) {
  candidates_.clear();
  for (const size_t i : TopIndices(row, k)) candidates_.push_back({static_cast<llama_token>(i), row[i], 0});
  sorted_ = true;
}

llama_token Sampler::Select() {
  std::erase_if(candidates_, [](const llama_token_data& candidate) { return !std::isfinite(candidate.logit); });
  if (candidates_.empty()) {
    throw Failure("ERR_ENGINE_CRASHED", "The model produced no finite logit; its weights may be damaged.");
  }
  llama_token_data_array array{candidates_.data(), candidates_.size(), -1, sorted_};
  llama_sampler_apply(chain_.get(), &array);
  const int64_t selected = array.selected >= 0 ? array.selected : 0;
  return array.data[selected].id;
}

}  // namespace llamero
