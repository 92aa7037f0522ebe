#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/request.h"

namespace llamero {

/// What happened to one request since JavaScript was last told.
struct News {
  int64_t id = 0;
  std::string text;
  std::vector<llama_token> tokens;
  std::vector<std::vector<TokenLogprob>> logprobs;
  std::optional<int64_t> prompt_tokens;
  std::optional<Finish> finish;
  bool urgent = false;  // somebody waits for just this: the first token, progress, the end
};

/// News on their way to JavaScript. The engine adds those of a whole step at once; JavaScript takes all there is. When
/// it is late, several steps become one entry per request. Any thread may call either side.
class Outbox {
 public:
  void Add(std::vector<News> step);
  /// Whether JavaScript is to be woken now: there are news, and no wake is on its way yet.
  bool ClaimWake();
  std::vector<News> Take();
  bool has_news() const;

 private:
  mutable std::mutex mutex_;
  std::vector<News> pending_;
  std::unordered_map<int64_t, size_t> index_;
  bool woken_ = false;
};

}  // namespace llamero
