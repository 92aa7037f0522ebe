#pragma once

#include <llama.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace llamero {

/// Finds where the last tokens of a sequence occurred before: what followed there may follow again.
///
/// For a few lengths n it knows the latest place of every n tokens. A place is 4 bytes in an open hash table, the tokens
/// themselves are compared where they lie, so nothing is found that is not there, and a prompt of 100,000 tokens costs
/// some 3 MB and 20 ms, spread over several calls.
class NgramIndex {
 public:
  /// The tokens from `next` on followed the last `length` tokens at their latest earlier place; 0: there is none.
  struct Match {
    int64_t next = 0;
    int64_t length = 0;
  };
  /// A match is looked at no further back than this.
  static constexpr int64_t kLongest = 16;

  /// Takes in what came since the last call, a bounded number of tokens. Returns whether that was all.
  /// REQUIRES: `tokens` begins with those of the last call.
  bool Read(std::span<const llama_token> tokens);

  /// The latest earlier place of the last 8 tokens, else of the last 4, else of the last 2.
  /// REQUIRES: the last Read got the same tokens and returned true.
  Match Find(std::span<const llama_token> tokens) const;

 private:
  static constexpr std::array<int64_t, 3> kSizes = {8, 4, 2};

  /// Ends of n-grams; 0: empty.
  struct Table {
    std::vector<uint32_t> places;
    size_t used = 0;
  };

  static size_t Place(const Table& table, int64_t n, std::span<const llama_token> tokens, int64_t end);
  static void Add(Table& table, int64_t n, std::span<const llama_token> tokens, int64_t end);
  static void Grow(Table& table, int64_t n, std::span<const llama_token> tokens);

  std::array<Table, kSizes.size()> tables_;
  int64_t read_ = 0;
};

/// `count` tokens as they followed from `next` on. Where these run out they go on with themselves, as the text does when
/// a phrase repeats at once. REQUIRES: 0 <= next < tokens.size().
std::vector<llama_token> Continuation(std::span<const llama_token> tokens, int64_t next, int64_t count);

}  // namespace llamero
