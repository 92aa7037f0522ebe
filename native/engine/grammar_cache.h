#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/grammar_matcher.h"

namespace llamero {

/// The grammars that were used last with a model's vocabulary, compiled. Safe for threads.
class GrammarCache {
 public:
  static constexpr size_t kMostGrammars = 64;
  static constexpr size_t kMostBytes = size_t{32} << 20;

  /// REQUIRES: `model` outlives this and the grammars.
  explicit GrammarCache(const Model& model) : model_(model) {}

  /// The grammar of a text, compiled if it is not there. The first one takes as long as arranging the vocabulary does:
  /// tens of milliseconds. `written` are special tokens whose text is part of what the grammar describes.
  /// Throws Failure: ERR_GRAMMAR.
  std::shared_ptr<CompiledGrammar> Get(const std::string& text, const std::vector<llama_token>& written = {});

  struct Stats {
    size_t grammars = 0;
    size_t bytes = 0;
    int64_t hits = 0;
    int64_t misses = 0;
  };
  Stats stats() const;

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<CompiledGrammar> grammar;
  };
  using Entries = std::list<Entry>;

  std::shared_ptr<CompiledGrammar> Find(const std::string& key);
  size_t Bytes() const;
  void Shrink();

  const Model& model_;
  std::once_flag texts_once_;
  std::shared_ptr<const TokenTexts> texts_;
  mutable std::mutex mutex_;
  Entries entries_;  // the latest first
  std::unordered_map<std::string, Entries::iterator> by_key_;
  int64_t hits_ = 0;
  int64_t misses_ = 0;
};

}  // namespace llamero
