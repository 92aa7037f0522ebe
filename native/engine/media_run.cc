#include "engine/media_run.h"

#include <algorithm>

namespace llamero {
namespace {

constexpr uint32_t kMedia = uint32_t{1} << 31;
constexpr uint32_t kBegins = uint32_t{1} << 30;
constexpr uint32_t kHasPositions = uint32_t{1} << 29;
constexpr uint32_t kPositionShift = 14;
constexpr uint32_t kPositionMask = 0x7fff;
constexpr uint32_t kInsideBits = 30;

uint64_t Mixed(uint64_t value) {  // splitmix64, a bijection
  value += 0x9E3779B97F4A7C15;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

/// The bits of the digest, mixed with the part's number, in turns of 30; after all of them were there they are mixed
/// anew.
class DigestBits {
 public:
  DigestBits(const MediaDigest& digest, int64_t index) {
    for (size_t word = 0; word < words_.size(); word++) {
      for (size_t byte = 0; byte < 8; byte++) words_[word] |= uint64_t{digest[8 * word + byte]} << (8 * byte);
      words_[word] ^= Mixed(static_cast<uint64_t>(index) * words_.size() + word);
    }
  }

  uint32_t Next(uint32_t count) {
    uint32_t bits = 0;
    for (uint32_t i = 0; i < count; i++) bits |= Bit() << i;
    return bits;
  }

 private:
  uint32_t Bit() {
    if (at_ == 64 * words_.size()) {
      at_ = 0;
      for (uint64_t& word : words_) word = Mixed(word);
    }
    const uint64_t word = words_[at_ / 64];
    return static_cast<uint32_t>(word >> (at_++ % 64)) & 1;
  }

  std::array<uint64_t, 4> words_{};
  size_t at_ = 0;
};

/// Positions that the run takes which begins at `begin` and ends at `end`.
int64_t PositionsOf(std::span<const llama_token> tokens, int64_t begin, int64_t end) {
  const auto first = static_cast<uint32_t>(tokens[begin]);
  return (first & kHasPositions) != 0 ? (first >> kPositionShift) & kPositionMask : end - begin;
}

bool IsInside(llama_token id) { return IsMedia(id) && !BeginsMedia(id); }

}  // namespace

std::vector<llama_token> MediaRun(const MediaDigest& digest, int64_t index, int64_t tokens, int64_t positions) {
  std::vector<llama_token> run;
  run.reserve(static_cast<size_t>(tokens));
  DigestBits bits(digest, index);
  const bool jumps = positions != tokens;
  const uint32_t place = jumps ? kHasPositions | static_cast<uint32_t>(positions) << kPositionShift : 0;
  const uint32_t free_bits = jumps ? kPositionShift : kInsideBits - 1;
  run.push_back(static_cast<llama_token>(kMedia | kBegins | place | bits.Next(free_bits)));
  while (static_cast<int64_t>(run.size()) < tokens) {
    run.push_back(static_cast<llama_token>(kMedia | bits.Next(kInsideBits)));
  }
  return run;
}

bool BeginsMedia(llama_token id) { return IsMedia(id) && (static_cast<uint32_t>(id) & kBegins) != 0; }

int64_t WholeLength(std::span<const llama_token> tokens, int64_t length) {
  if (length >= static_cast<int64_t>(tokens.size())) return length;
  while (length > 0 && IsInside(tokens[length])) length--;
  return length;
}

int64_t WholeLengthAfter(std::span<const llama_token> tokens, int64_t length) {
  while (length < static_cast<int64_t>(tokens.size()) && IsInside(tokens[length])) length++;
  return length;
}

int64_t PositionBehind(std::span<const llama_token> tokens, int64_t length) {
  int64_t position = 0;
  for (int64_t at = 0; at < length;) {
    if (!BeginsMedia(tokens[at])) {
      position++;
      at++;
      continue;
    }
    const int64_t end = std::min(length, WholeLengthAfter(tokens, at + 1));
    position += PositionsOf(tokens, at, end);
    at = end;
  }
  return position;
}

int64_t LastPosition(std::span<const llama_token> tokens) {
  const auto length = static_cast<int64_t>(tokens.size());
  const int64_t begin = length == 0 ? 0 : WholeLength(tokens, length - 1);
  const int64_t position = PositionBehind(tokens, begin);
  const bool jumps = begin < length && PositionsOf(tokens, begin, length) != length - begin;
  return jumps ? position : position + length - begin - 1;
}

}  // namespace llamero
