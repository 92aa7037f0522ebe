#include "engine/news.h"

#include <iterator>
#include <utility>

namespace llamero {
namespace {

void Merge(News& into, News&& more) {
  into.text += more.text;
  into.tokens.insert(into.tokens.end(), more.tokens.begin(), more.tokens.end());
  into.logprobs.insert(into.logprobs.end(), std::make_move_iterator(more.logprobs.begin()),
                       std::make_move_iterator(more.logprobs.end()));
  if (more.prompt_tokens) into.prompt_tokens = more.prompt_tokens;
  if (more.finish) into.finish = std::move(more.finish);
}

}  // namespace

void Outbox::Add(std::vector<News> step) {
  const std::lock_guard lock(mutex_);
  for (News& news : step) {
    const auto [position, is_new] = index_.try_emplace(news.id, pending_.size());
    if (is_new) {
      pending_.push_back(std::move(news));
    } else {
      Merge(pending_[position->second], std::move(news));
    }
  }
}

bool Outbox::ClaimWake() {
  const std::lock_guard lock(mutex_);
  return !pending_.empty() && !std::exchange(woken_, true);
}

bool Outbox::has_news() const {
  const std::lock_guard lock(mutex_);
  return !pending_.empty();
}

std::vector<News> Outbox::Take() {
  const std::lock_guard lock(mutex_);
  woken_ = false;
  index_.clear();
  return std::exchange(pending_, {});
}

}  // namespace llamero
