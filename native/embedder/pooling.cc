#include "embedder/pooling.h"

#include <cmath>
#include <utility>

namespace llamero {

Pooler::Pooler(Pooling pooling, size_t width) : pooling_(pooling), width_(width) {
  if (pooling == Pooling::kMean) sum_.resize(width);
}

void Pooler::Add(std::span<const float> row) {
  rows_++;
  switch (pooling_) {
    case Pooling::kMean:
      for (size_t i = 0; i < width_; i++) sum_[i] += row[i];
      return;
    case Pooling::kCls:
      if (rows_ == 1) pooled_.assign(row.begin(), row.end());
      return;
    case Pooling::kLast:
      pooled_.assign(row.begin(), row.end());
      return;
    case Pooling::kNone:
    case Pooling::kRank:
      pooled_.insert(pooled_.end(), row.begin(), row.end());
      return;
  }
}

std::vector<float> Pooler::Take() {
  const auto rows = static_cast<double>(std::exchange(rows_, 0));
  if (pooling_ == Pooling::kMean) {
    pooled_.resize(width_);
    for (size_t i = 0; i < width_; i++) pooled_[i] = static_cast<float>(std::exchange(sum_[i], 0) / rows);
  }
  return std::exchange(pooled_, {});
}

void Normalize(std::span<float> vector) {
  double squares = 0;
  for (const float value : vector) squares += double{value} * value;
  if (squares == 0) return;
  const double factor = 1 / std::sqrt(squares);
  for (float& value : vector) value = static_cast<float>(value * factor);
}

}  // namespace llamero
