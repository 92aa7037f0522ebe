#pragma once

#include <llama.h>

#include <cstdint>
#include <span>
#include <vector>

namespace llamero {

/// A set of tokens that grows.
class TokenSet {
 public:
  explicit TokenSet(size_t vocabulary_size) : bits_((vocabulary_size + 63) / 64) {}

  void Add(llama_token token) { bits_[token / 64] |= uint64_t{1} << (token % 64); }
  void Add(std::span<const llama_token> tokens) {
    for (const llama_token token : tokens) Add(token);
  }
  void Add(const TokenSet& others) {
    for (size_t i = 0; i < bits_.size(); i++) bits_[i] |= others.bits_[i];
  }
  bool Has(llama_token token) const { return (bits_[token / 64] >> (token % 64) & 1) != 0; }
  const std::vector<uint64_t>& bits() const { return bits_; }

 private:
  std::vector<uint64_t> bits_;
};

/// The tokens that may come next, as a list or as a bit for each token, whichever is smaller. Immutable.
class TokenMask {
 public:
  explicit TokenMask(const TokenSet& allowed);

  /// Sets the logits of all other tokens to minus infinity.
  void Apply(std::span<float> row) const;
  size_t bytes() const { return sizeof(*this) + bits_.capacity() * sizeof(uint64_t) + listed_.capacity() * 4; }

 private:
  std::vector<uint64_t> bits_;
  std::vector<llama_token> listed_;
};

}  // namespace llamero
