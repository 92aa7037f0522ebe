#include "engine/token_trie.h"

#include <algorithm>
#include <limits>

namespace llamero {
namespace {

/// Bytes of the character that begins with this one; 0 if none does.
int LengthOfCharacter(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  return first >= 0xF0 && first <= 0xF4 ? 4 : 0;
}

const DecodedPiece kInvalid{.code_points = {}, .tail = {}, .valid = false};

bool Continues(unsigned char byte) { return (byte & 0xC0) == 0x80; }

/// Whether bits of a character with `missing` more bytes can become one that is neither spelled too long, nor half of a
/// surrogate pair, nor beyond the last.
bool CanBecomeCharacter(const Utf8Tail& tail, int length) {
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const uint32_t low = tail.value << (6 * tail.missing);
  const uint32_t high = low | ((1u << (6 * tail.missing)) - 1);
  if (high < kLeast[length] || low > 0x10FFFF) return false;
  return low < 0xD800 || high > 0xDFFF;
}

}  // namespace

uint32_t Utf8Tail::first() const {
  // Three and four bytes are not used for what fits into fewer.
  const uint32_t low = value << (6 * missing);
  return low != 0 ? low : missing == 2 ? 0x800 : missing == 3 ? 0x10000 : 0x80;
}

uint32_t Utf8Tail::last() const {
  const uint32_t high = value << (6 * missing) | ((1u << (6 * missing)) - 1);
  return std::min<uint32_t>(high, 0x10FFFF);
}

DecodedPiece DecodePiece(std::string_view bytes, Utf8Tail before) {
  DecodedPiece piece;
  Utf8Tail tail = before;
  bool checks = false;
  int length = 0;
  for (const char each : bytes) {
    const auto byte = static_cast<unsigned char>(each);
    if (tail.missing == 0) {
      length = LengthOfCharacter(byte);
      if (length == 0) return kInvalid;
      tail = {length == 1 ? byte : byte & (0xFFu >> (length + 1)), length - 1};
      checks = true;
    } else {
      if (!Continues(byte)) return kInvalid;
      tail = {tail.value << 6 | (byte & 0x3Fu), tail.missing - 1};
    }
    if (checks && length > 1 && !CanBecomeCharacter(tail, length)) return kInvalid;
    if (tail.missing == 0) piece.code_points.push_back(tail.value);
  }
  piece.tail = tail;
  return piece;
}

TokenTrie::TokenTrie(std::vector<Text> texts) {
  std::sort(texts.begin(), texts.end(), [](const Text& a, const Text& b) { return a.code_points < b.code_points; });
  std::vector<uint32_t> path;  // the nodes that lead to the latest one
  const auto end_path = [&](size_t length) {
    for (; path.size() > length; path.pop_back()) nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
  };
  for (const Text& text : texts) {
    size_t shared = 0;
    while (shared < path.size() && shared < text.code_points.size() &&
           nodes_[path[shared]].code_point == text.code_points[shared]) {
      shared++;
    }
    end_path(shared);
    for (size_t depth = shared; depth < text.code_points.size(); depth++) {
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({text.code_points[depth], 0, 0, 0, static_cast<uint16_t>(depth)});
    }
    Node& node = nodes_[path.back()];
    if (node.count == 0) node.first = static_cast<uint32_t>(tokens_.size());
    node.count++;
    tokens_.push_back(text.token);
    depth_ = std::max(depth_, path.size());
  }
  end_path(0);
  nodes_.shrink_to_fit();
}

TokenTexts::Sorted TokenTexts::Sort(const Model& model) {
  Sorted sorted;
  const auto is_plain = [](uint32_t code_point) {
    return std::any_of(std::begin(kPlain), std::end(kPlain),
                       [&](const auto& range) { return range.first <= code_point && code_point <= range.second; });
  };
  for (llama_token token = 0; token < model.vocabulary_size(); token++) {
    const std::string& bytes = model.Piece(token);
    if (bytes.empty() || bytes.front() == '\0' || model.EndsGeneration(token)) continue;
    if (Continues(static_cast<unsigned char>(bytes.front()))) sorted.inner.push_back(token);
    DecodedPiece piece = DecodePiece(bytes, {});
    const auto& code_points = piece.code_points;
    if (!piece.valid || code_points.size() > std::numeric_limits<uint16_t>::max()) continue;
    if (piece.tail.missing > 0) {
      sorted.cut.push_back({std::move(piece.code_points), piece.tail, token});
    } else {
      const bool plain =
          code_points.size() <= kMostPlain && std::all_of(code_points.begin(), code_points.end(), is_plain);
      (plain ? sorted.plain : sorted.others).push_back({std::move(piece.code_points), token});
    }
  }
  return sorted;
}

TokenTexts::TokenTexts(const Model& model) : TokenTexts(Sort(model)) {}

TokenTexts::TokenTexts(Sorted sorted)
    : plain_(std::move(sorted.plain)),
      others_(std::move(sorted.others)),
      cut_(std::move(sorted.cut)),
      inner_(std::move(sorted.inner)) {}

}  // namespace llamero
