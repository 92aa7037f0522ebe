#pragma once

#include <llama.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model.h"

namespace llamero {

/// The beginning of a character whose other bytes are still to come.
struct Utf8Tail {
  uint32_t value = 0;
  int missing = 0;

  /// The code points that it can become.
  uint32_t first() const;
  uint32_t last() const;
};

/// Code points of bytes that may begin within a character and end within one.
struct DecodedPiece {
  std::vector<uint32_t> code_points;
  Utf8Tail tail;
  /// Whether these bytes can stand there at all.
  bool valid = true;
};
DecodedPiece DecodePiece(std::string_view bytes, Utf8Tail before);

/// Texts of tokens, arranged by how they begin, so that what a grammar allows is found without looking at each token:
/// where a beginning is not allowed, all that begin so are passed over.
class TokenTrie {
 public:
  struct Text {
    std::vector<uint32_t> code_points;
    llama_token token;
  };
  explicit TokenTrie(std::vector<Text> texts);

  /// A code point of a text; the nodes that continue it lie behind it, up to `end`.
  struct Node {
    uint32_t code_point;
    uint32_t end;
    /// The tokens whose text ends here: tokens()[first, first + count).
    uint32_t first;
    uint16_t count;
    /// How many code points stand before it.
    uint16_t depth;
  };
  std::span<const Node> nodes() const { return nodes_; }
  std::span<const llama_token> tokens() const { return tokens_; }
  size_t depth() const { return depth_; }

 private:
  std::vector<Node> nodes_;
  std::vector<llama_token> tokens_;
  size_t depth_ = 0;
};

/// What a vocabulary's tokens say, in the order in which grammars ask. Immutable.
///
/// Tokens without text and those that end a generation are not in it.
class TokenTexts {
 public:
  explicit TokenTexts(const Model& model);

  /// Code points that stand for themselves in most texts; in a JSON string all of them.
  static constexpr std::pair<uint32_t, uint32_t> kPlain[] = {
      {0x20, 0x21}, {0x23, 0x5B}, {0x5D, 0x7E}, {0x80, 0xD7FF}, {0xE000, 0x10FFFF}};
  static constexpr size_t kMostPlain = 16;

  /// A token whose last character is cut off.
  struct CutToken {
    std::vector<uint32_t> code_points;
    Utf8Tail tail;
    llama_token token;
  };

  /// Texts of plain characters only, of kMostPlain at most: nine of ten tokens.
  const TokenTrie& plain() const { return plain_; }
  /// The others that are made of whole characters.
  const TokenTrie& others() const { return others_; }
  std::span<const CutToken> cut() const { return cut_; }
  /// Tokens that begin within a character.
  std::span<const llama_token> inner() const { return inner_; }

 private:
  struct Sorted {
    std::vector<TokenTrie::Text> plain;
    std::vector<TokenTrie::Text> others;
    std::vector<CutToken> cut;
    std::vector<llama_token> inner;
  };
  static Sorted Sort(const Model& model);
  explicit TokenTexts(Sorted sorted);

  TokenTrie plain_;
  TokenTrie others_;
  std::vector<CutToken> cut_;
  std::vector<llama_token> inner_;
};

}  // namespace llamero
