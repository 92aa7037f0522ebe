#pragma once

#include <llama.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/adapter_set.h"
#include "media/medium.h"

namespace llamero {

/// When a lazy grammar begins to bind: at a token, or where a regular expression is found in the answer.
struct GrammarTrigger {
  std::string pattern;  // "": the token
  llama_token token = LLAMA_TOKEN_NULL;
};

/// Where an answer thinks, and for how long it may.
struct ThinkingSpec {
  std::string start;
  std::vector<std::string> ends;
  std::string prefix;  // the beginning of the answer that the prompt holds already
  int64_t max_tokens = -1;
  std::string closing;  // dictated when they are used up
};

/// How the next token is chosen; ranges are checked in TypeScript, meanings are llama.cpp's.
struct SamplerSpec {
  uint32_t seed = 0;
  float temperature = 0;
  int top_k = 0;
  float top_p = 1;
  float min_p = 0;
  float typical_p = 1;
  float repeat_penalty = 1;
  int repeat_last_n = 0;
  float presence_penalty = 0;
  float frequency_penalty = 0;
  float dry_multiplier = 0;
  float dry_base = 0;
  int dry_allowed_length = 0;
  int dry_last_n = 0;
  std::vector<std::string> dry_breakers;
  float xtc_probability = 0;
  float xtc_threshold = 0;
  int mirostat = 0;
  float mirostat_tau = 0;
  float mirostat_eta = 0;
  std::vector<llama_logit_bias> biases;
  std::string grammar;
  bool grammar_lazy = false;  // it binds from a trigger on, and never inside thinking
  std::vector<GrammarTrigger> grammar_triggers;
  std::vector<llama_token> written_tokens;  // special ones whose text is part of the answer
  std::string grammar_prefix;               // the beginning of the answer that the grammar has to accept first
  std::optional<ThinkingSpec> thinking;
};

/// What a sequence drops so that its answer can go on: at `at` tokens, `drop` of them behind the first `keep`. How many
/// stay is decided in TypeScript.
struct Shift {
  int64_t at = 0;  // 0: never
  int64_t keep = 0;
  int64_t drop = 0;
};

/// One generation, as it enters the queue.
struct Request {
  std::vector<llama_token> tokens;  // also ids of media, all of them within `media`
  std::vector<Medium::Span> media;  // in the order of the tokens
  int64_t max_tokens = -1;          // -1: until the context is full
  std::vector<std::string> stops;
  bool ignore_end = false;
  SamplerSpec sampler;
  int logprobs = -1;  // alternatives per token; -1: none
  int priority = 0;
  int64_t timeout_ms = 0;        // from its entry to its end; 0: no limit
  int64_t queue_timeout_ms = 0;  // from its entry until it runs for the first time; 0: no limit
  bool progress = false;
  int64_t buffer_tokens = 0;  // unread tokens at which the sequence parks
  std::string cache_root;     // prefixes are shared only under the same root: tenants, adapter sets
  int64_t session = 0;        // whose prefix this continues and becomes; 0: nobody's
  Shift shift = {};
  std::shared_ptr<const AdapterSet> adapters;
  int64_t draft_tokens = 0;                        // most tokens that a step may propose and verify; 0: none
  bool adapt_drafts = true;                        // propose as many as pay; else always as many as there are
  bool draft_model = true;                         // ask the engine's draft model or trained heads too, if it has any
  std::vector<llama_token> preserved_tokens = {};  // special ones that are written out
};

struct TokenLogprob {
  llama_token token;
  float logprob;
};

enum class FinishReason { kStop, kLength, kAbort, kContextFull, kError };

struct Finish {
  FinishReason reason = FinishReason::kStop;
  std::string error_code;
  std::string error_message;
  int64_t input_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t output_tokens = 0;
  int64_t draft_tokens = 0;
  int64_t accepted_tokens = 0;
  double queue_ms = 0;
  double prefill_ms = 0;
  double decode_ms = 0;
  double ttft_ms = 0;
};

}  // namespace llamero
