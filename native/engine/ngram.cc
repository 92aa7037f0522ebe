#include "engine/ngram.h"

#include <algorithm>

namespace llamero {
namespace {

// A step must not wait for the index of a long prompt; so many tokens take about 2 ms.
constexpr int64_t kMostAtOnce = 8192;
constexpr size_t kLeastPlaces = 64;

uint64_t Hash(std::span<const llama_token> tokens) {
  uint64_t hash = 0;
  for (const llama_token token : tokens) {
    hash = (hash ^ static_cast<uint32_t>(token)) * 0x9E3779B97F4A7C15;
    hash ^= hash >> 29;
  }
  return hash;
}

}  // namespace

bool NgramIndex::Read(std::span<const llama_token> tokens) {
  // All but the last n-gram: it is what is looked for.
  const auto whole = static_cast<int64_t>(tokens.size()) - 1;
  const int64_t end = std::min(whole, read_ + kMostAtOnce);
  for (; read_ < end; read_++) {
    for (size_t i = 0; i < kSizes.size(); i++) {
      if (read_ + 1 >= kSizes[i]) Add(tables_[i], kSizes[i], tokens, read_ + 1);
    }
  }
  return read_ >= whole;
}

NgramIndex::Match NgramIndex::Find(std::span<const llama_token> tokens) const {
  const auto size = static_cast<int64_t>(tokens.size());
  for (size_t i = 0; i < kSizes.size(); i++) {
    const int64_t n = kSizes[i];
    const Table& table = tables_[i];
    if (size <= n || table.places.empty()) continue;
    const int64_t end = table.places[Place(table, n, tokens, size)];
    if (end == 0) continue;
    int64_t length = n;
    while (length < kLongest && length < end && tokens[end - length - 1] == tokens[size - length - 1]) length++;
    return {end, length};
  }
  return {};
}

/// Where the n-gram that ends at `end` stands, or the empty place where it would stand.
size_t NgramIndex::Place(const Table& table, int64_t n, std::span<const llama_token> tokens, int64_t end) {
  const std::span<const llama_token> wanted = tokens.subspan(end - n, n);
  const size_t mask = table.places.size() - 1;
  size_t place = Hash(wanted) & mask;
  while (table.places[place] != 0 && !std::equal(wanted.begin(), wanted.end(), &tokens[table.places[place] - n])) {
    place = (place + 1) & mask;
  }
  return place;
}

void NgramIndex::Add(Table& table, int64_t n, std::span<const llama_token> tokens, int64_t end) {
  if (2 * (table.used + 1) > table.places.size()) Grow(table, n, tokens);
  uint32_t& place = table.places[Place(table, n, tokens, end)];
  if (place == 0) table.used++;
  place = static_cast<uint32_t>(end);
}

void NgramIndex::Grow(Table& table, int64_t n, std::span<const llama_token> tokens) {
  std::vector<uint32_t> old(std::max(kLeastPlaces, 2 * table.places.size()), 0);
  old.swap(table.places);
  for (const uint32_t end : old) {
    if (end != 0) table.places[Place(table, n, tokens, end)] = end;
  }
}

std::vector<llama_token> Continuation(std::span<const llama_token> tokens, int64_t next, int64_t count) {
  std::vector<llama_token> found;
  const auto known = static_cast<int64_t>(tokens.size());
  for (int64_t i = 0; i < count; i++) {
    found.push_back(next + i < known ? tokens[next + i] : found[next + i - known]);
  }
  return found;
}

}  // namespace llamero
