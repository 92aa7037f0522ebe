#include "engine/token_mask.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace llamero {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr size_t kBits = 64;

}  // namespace

TokenMask::TokenMask(const TokenSet& allowed) {
  const std::vector<uint64_t>& bits = allowed.bits();
  size_t count = 0;
  for (const uint64_t word : bits) count += std::popcount(word);
  if (count * 32 >= bits.size() * kBits) {
    bits_ = bits;
    return;
  }
  listed_.reserve(count);
  for (size_t i = 0; i < bits.size(); i++) {
    for (uint64_t word = bits[i]; word != 0; word &= word - 1) {
      listed_.push_back(static_cast<llama_token>(i * kBits + std::countr_zero(word)));
    }
  }
}

void TokenMask::Apply(std::span<float> row) const {
  if (bits_.empty()) {
    std::vector<float> kept;
    kept.reserve(listed_.size());
    for (const llama_token token : listed_) kept.push_back(row[token]);
    std::fill(row.begin(), row.end(), kNever);
    for (size_t i = 0; i < listed_.size(); i++) row[listed_[i]] = kept[i];
    return;
  }
  for (size_t word = 0; word < bits_.size(); word++) {
    const size_t from = word * kBits;
    const size_t count = std::min(kBits, row.size() - from);
    // Whole words first: where a grammar allows text, most words are all ones.
    if (bits_[word] == ~uint64_t{0}) continue;
    for (size_t i = 0; i < count; i++) row[from + i] = (bits_[word] >> i & 1) != 0 ? row[from + i] : kNever;
  }
}

}  // namespace llamero
