#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace llamero {

/// How the vectors of an input's tokens become the input's. kRank is no vector but what the model's classifier makes of
/// one.
enum class Pooling { kNone, kMean, kCls, kLast, kRank };

/// Pools the rows of one input after the other.
///
/// llama.cpp could pool too, but only what lies in one micro-batch, and for one kind per context. Ours takes a long
/// input of a causal model in pieces, and serves all kinds from one context; layers behind the pooling (dense ones) are
/// affine, so it makes no difference on which side of them it happens.
class Pooler {
 public:
  Pooler(Pooling pooling, size_t width);

  /// The next token's row. REQUIRES: `width` numbers.
  void Add(std::span<const float> row);
  /// What the rows since the last call come to: a vector, or with kNone one per row.
  std::vector<float> Take();

 private:
  Pooling pooling_;
  size_t width_;
  size_t rows_ = 0;
  std::vector<float> pooled_;
  std::vector<double> sum_;
};

/// Divides by the Euclidean length; a vector of zeros stays.
void Normalize(std::span<float> vector);

}  // namespace llamero
