#include "engine/grammar_cache.h"

namespace llamero {

std::shared_ptr<CompiledGrammar> GrammarCache::Get(const std::string& text, const std::vector<llama_token>& written) {
  std::string key = text;
  for (const llama_token token : written) key += '\0' + std::to_string(token);
  if (auto known = Find(key)) return known;
  // Without the lock, so that nobody waits who needs another one.
  std::call_once(texts_once_, [&] { texts_ = std::make_shared<const TokenTexts>(model_); });
  auto grammar = std::make_shared<CompiledGrammar>(model_, texts_, text, written);
  const std::lock_guard lock(mutex_);
  const auto [position, added] = by_key_.try_emplace(key, entries_.end());
  if (!added) return position->second->grammar;
  misses_++;
  entries_.push_front({key, grammar});
  position->second = entries_.begin();
  Shrink();
  return grammar;
}

std::shared_ptr<CompiledGrammar> GrammarCache::Find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) return nullptr;
  hits_++;
  entries_.splice(entries_.begin(), entries_, known->second);
  Shrink();
  return entries_.front().grammar;
}

GrammarCache::Stats GrammarCache::stats() const {
  const std::lock_guard lock(mutex_);
  return {.grammars = entries_.size(), .bytes = Bytes(), .hits = hits_, .misses = misses_};
}

size_t GrammarCache::Bytes() const {
  size_t bytes = 0;
  for (const Entry& entry : entries_) bytes += entry.grammar->bytes() + 2 * entry.key.size();
  return bytes;
}

/// The latest stays, whatever it takes: it is in use. So do others that are, but not in here.
void GrammarCache::Shrink() {
  while (entries_.size() > 1 && (entries_.size() > kMostGrammars || Bytes() > kMostBytes)) {
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

}  // namespace llamero
