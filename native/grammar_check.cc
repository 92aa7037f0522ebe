#include "grammar_check.h"

#include <llama-cpp.h>

#include <cmath>

#include "engine/grammar_cache.h"
#include "failure.h"

namespace llamero {
namespace {

void MaskByUpstream(const Model& model, const std::string& grammar, std::span<const llama_token> tokens,
                    std::span<float> row) {
  const llama_sampler_ptr sampler(llama_sampler_init_grammar(model.vocab(), grammar.c_str(), "root"));
  if (!sampler) throw Failure("ERR_GRAMMAR", "llama.cpp refused the grammar.");
  for (const llama_token token : tokens) llama_sampler_accept(sampler.get(), token);
  std::vector<llama_token_data> candidates;
  for (size_t i = 0; i < row.size(); i++) candidates.push_back({static_cast<llama_token>(i), row[i], 0});
  llama_token_data_array all{candidates.data(), candidates.size(), -1, false};
  llama_sampler_apply(sampler.get(), &all);
  for (const llama_token_data& candidate : candidates) row[candidate.id] = candidate.logit;
}

}  // namespace

std::vector<uint8_t> AllowedTokens(const Model& model, const std::string& grammar, std::span<const llama_token> tokens,
                                   bool upstream) {
  std::vector<float> row(model.vocabulary_size(), 0);
  if (upstream) {
    MaskByUpstream(model, grammar, tokens, row);
  } else {
    GrammarMatcher matcher(model.grammars().Get(grammar));
    for (const llama_token token : tokens) matcher.Accept(token);
    matcher.Mask(row);
  }
  std::vector<uint8_t> allowed;
  for (const float logit : row) allowed.push_back(std::isfinite(logit) ? 1 : 0);
  return allowed;
}

}  // namespace llamero
