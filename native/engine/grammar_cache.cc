#include "engine/grammar_cache.h"

namespace llamero {

std::shared_ptr<CompiledGrammar> GrammarCache::Get(const std::string& text) {
  if (auto known = Find(text)) return known;
  // Without the lock, so that nobody waits who needs another one.
  std::call_once(texts_once_, [&] { texts_ = std::make_shared<const TokenTexts>(model_); });
  auto grammar = std::make_shared<CompiledGrammar>(model_, texts_, text);
  const std::lock_guard lock(mutex_);
  const auto [position, added] = by_text_.try_emplace(text, entries_.end());
  if (!added) return position->second->grammar;
  misses_++;
  entries_.push_front({text, grammar});
  position->second = entries_.begin();
  Shrink();
  return grammar;
}

std::shared_ptr<CompiledGrammar> GrammarCache::Find(const std::string& text) {
  const std::lock_guard lock(mutex_);
  const auto known = by_text_.find(text);
  if (known == by_text_.end()) return nullptr;
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
  for (const Entry& entry : entries_) bytes += entry.grammar->bytes() + 2 * entry.text.size();
  return bytes;
}

/// The latest stays, whatever it takes: it is in use. So do others that are, but not in here.
void GrammarCache::Shrink() {
  while (entries_.size() > 1 && (entries_.size() > kMostGrammars || Bytes() > kMostBytes)) {
    by_text_.erase(entries_.back().text);
    entries_.pop_back();
  }
}

}  // namespace llamero
