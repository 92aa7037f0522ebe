#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <tuple>

#include <ggml.h>

#include "kernels/vector.h"

/// See weight_formats.h. Vectors hold 32 bytes. Products of bytes are added in pairs, into 16 bits.
namespace llamero::kernels {

constexpr int64_t kBlock = 32;
constexpr int64_t kSide = 8;

inline __m128i LoadSixteen(const char* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); }
inline __m256i LoadBlock(const int8_t* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }

/// Sums of neighbours.
inline __m256i AddPairs(__m256i products) { return _mm256_madd_epi16(products, _mm256_set1_epi16(1)); }

/// Four words of each of kSide rows that lie `stride` bytes apart, of which there are `rows`: words[i] is the i-th word of
/// each, a lane a row. Lanes beyond are the last row's.
inline void LayWords(const char* from, int64_t stride, int64_t rows, __m256i* words) {
  const auto four = [&](int64_t row) { return LoadSixteen(from + std::min(row, rows - 1) * stride); };
  __m256i both[4];  // rows i and i + 4
  for (int64_t i = 0; i < 4; i++) both[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(four(i)), four(i + 4), 1);
  const __m256i low01 = _mm256_unpacklo_epi32(both[0], both[1]);
  const __m256i high01 = _mm256_unpackhi_epi32(both[0], both[1]);
  const __m256i low23 = _mm256_unpacklo_epi32(both[2], both[3]);
  const __m256i high23 = _mm256_unpackhi_epi32(both[2], both[3]);
  words[0] = _mm256_unpacklo_epi64(low01, low23);
  words[1] = _mm256_unpackhi_epi64(low01, low23);
  words[2] = _mm256_unpacklo_epi64(high01, high23);
  words[3] = _mm256_unpackhi_epi64(high01, high23);
}

/// The first word of each of the rows.
inline __m256i LayWord(const char* from, int64_t stride, int64_t rows) {
  // Not by way of memory, which would have to join what was written in pieces.
  const auto word = [&](int64_t row) {
    int32_t four;
    std::memcpy(&four, from + std::min(row, rows - 1) * stride, sizeof(four));
    return four;
  };
  return _mm256_setr_epi32(word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7));
}

/// The half-precision numbers in the low halves of the words.
inline __m256 LowHalves(__m256i words) {
  const __m256i low = _mm256_and_si256(words, _mm256_set1_epi32(0xFFFF));
  return _mm256_cvtph_ps(_mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1)));
}

/// q4_1: scale and offset in half precision, then 16 bytes whose low halves are the first 16 weights. Meets q8_1: scale
/// and the scaled sum, then 32 signed bytes.
struct Q4_1 {
  static constexpr ggml_type kType = GGML_TYPE_Q4_1;
  static constexpr int64_t kGroup = 2;
  static constexpr int64_t kWeightSize = 2 + 2 + kBlock / 2;
  static constexpr int64_t kInputSize = 2 + 2 + kBlock;

  struct alignas(32) Inputs {
    int8_t low[32];   // what meets the low halves of each block's 16 bytes
    int8_t high[32];  // and the high ones
    float scales[8];  // by block, four times
    float sums[8];    // of a block the second of two; the first and all others are 0
  };

  struct Weights {
    Weights(const char* from, int64_t blocks) {
      __m128i second = _mm_setzero_si128();
      __m128i halves = _mm_cvtsi32_si128(Head(from));  // scale, offset, and again
      if (blocks == kGroup) {
        second = LoadSixteen(from + kWeightSize + 4);
        halves = _mm_insert_epi32(halves, Head(from + kWeightSize), 1);
      }
      const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(LoadSixteen(from + 4)), second, 1);
      const __m256i mask = _mm256_set1_epi8(0xF);
      low = _mm256_and_si256(both, mask);
      high = _mm256_and_si256(_mm256_srli_epi16(both, 4), mask);
      heads = _mm256_zextps128_ps256(_mm_cvtph_ps(halves));
      scales = _mm256_permutevar8x32_ps(heads, _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2));
    }

    static int32_t Head(const char* from) {
      int32_t head;
      std::memcpy(&head, from, sizeof(head));
      return head;
    }

    __m256i low, high;
    __m256 heads, scales;
  };

  static void Lay(const char* from, int64_t block, Inputs& inputs) {
    std::memcpy(inputs.low + block * 16, from + 4, 16);
    std::memcpy(inputs.high + block * 16, from + 4 + 16, 16);
    std::fill_n(inputs.scales + block * 4, 4, LoadOneHalf(from));
    inputs.sums[block * 2 + 1] = LoadOneHalf(from + 2);
  }

  static __m256 Multiply(const Weights& weights, const Inputs& inputs, __m256 sum) {
    // Four products of at most 15 * 127 stay far below 2^15.
    const __m256i products = _mm256_add_epi16(_mm256_maddubs_epi16(weights.low, LoadBlock(inputs.low)),
                                              _mm256_maddubs_epi16(weights.high, LoadBlock(inputs.high)));
    const __m256 scales = _mm256_mul_ps(weights.scales, _mm256_load_ps(inputs.scales));
    sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(AddPairs(products)), scales, sum);
    return _mm256_fmadd_ps(weights.heads, _mm256_load_ps(inputs.sums), sum);
  }

  static constexpr int64_t kColumns = 5;
  static constexpr int64_t kInputHead = 4;

  using Words = __m256i;
  using Products = __m256i;  // in 16 bits: 16 of at most 15 * 127 to each

  static Products Dot(Products products, Words weights, int32_t inputs) {
    return _mm256_add_epi16(products, _mm256_maddubs_epi16(weights, _mm256_set1_epi32(inputs)));
  }

  struct Head {
    explicit Head(const char* from) : scale(LoadOneHalf(from)), sum(LoadOneHalf(from + 2)) {}
    Products Begin() const { return _mm256_setzero_si256(); }

    float scale, sum;
  };

  struct Side {
    void Lay(const char* from, int64_t stride, int64_t rows) {
      LayWords(from + 4, stride, rows, words);
      const __m256i heads = LayWord(from, stride, rows);
      scales = LowHalves(heads);
      offsets = LowHalves(_mm256_srli_epi32(heads, 16));
    }
    Words Word(int i) const {
      const __m256i mask = _mm256_set1_epi8(0xF);
      return _mm256_and_si256(i < 4 ? words[i] : _mm256_srli_epi16(words[i - 4], 4), mask);
    }
    __m256 Add(const Head& head, Products products, __m256 sum) const {
      const __m256 factors = _mm256_mul_ps(scales, _mm256_set1_ps(head.scale));
      sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(AddPairs(products)), factors, sum);
      return _mm256_fmadd_ps(offsets, _mm256_set1_ps(head.sum), sum);
    }

    __m256i words[4];  // four bytes whose low halves are the weights 4 i, 4 i + 1 …, the high ones those 16 further
    __m256 scales, offsets;
  };
};

/// q8_0: a scale in half precision, then 32 signed bytes; inputs alike, of which none is -128. The instruction wants one
/// side unsigned: that is the weights without their signs, which the inputs get.
struct Q8_0 {
  static constexpr ggml_type kType = GGML_TYPE_Q8_0;
  static constexpr int64_t kGroup = 1;
  static constexpr int64_t kWeightSize = 2 + kBlock;
  static constexpr int64_t kInputSize = 2 + kBlock;

  struct Words {
    __m256i bytes, unsigned_bytes;
  };

  static __m256i Multiply(const Words& weights, __m256i inputs) {
    return AddPairs(_mm256_maddubs_epi16(weights.unsigned_bytes, _mm256_sign_epi8(inputs, weights.bytes)));
  }

  struct alignas(32) Inputs {
    int8_t bytes[32];
    float scale;
  };

  struct Weights {
    Weights(const char* from, int64_t) {
      words.bytes = LoadBlock(reinterpret_cast<const int8_t*>(from + 2));
      words.unsigned_bytes = _mm256_abs_epi8(words.bytes);
      scale = _mm256_set1_ps(LoadOneHalf(from));
    }

    Words words;
    __m256 scale;
  };

  static void Lay(const char* from, int64_t, Inputs& inputs) {
    std::memcpy(inputs.bytes, from + 2, kBlock);
    inputs.scale = LoadOneHalf(from);
  }

  static __m256 Multiply(const Weights& weights, const Inputs& inputs, __m256 sum) {
    const __m256i products = Multiply(weights.words, LoadBlock(inputs.bytes));
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), _mm256_mul_ps(weights.scale, _mm256_set1_ps(inputs.scale)),
                           sum);
  }

  static constexpr int64_t kColumns = 5;
  static constexpr int64_t kInputHead = 2;

  using Products = __m256i;

  static Products Dot(Products products, const Words& weights, int32_t inputs) {
    return _mm256_add_epi32(products, Multiply(weights, _mm256_set1_epi32(inputs)));
  }

  struct Head {
    explicit Head(const char* from) : scale(LoadOneHalf(from)) {}
    Products Begin() const { return _mm256_setzero_si256(); }

    float scale;
  };

  struct Side {
    void Lay(const char* from, int64_t stride, int64_t rows) {
      LayWords(from + 2, stride, rows, words);
      LayWords(from + 2 + 16, stride, rows, words + 4);
      scales = LowHalves(LayWord(from, stride, rows));
    }
    Words Word(int i) const { return {words[i], _mm256_abs_epi8(words[i])}; }
    __m256 Add(const Head& head, Products products, __m256 sum) const {
      return _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), _mm256_mul_ps(scales, _mm256_set1_ps(head.scale)), sum);
    }

    __m256i words[8];
    __m256 scales;
  };
};

using WeightFormats = std::tuple<Q4_1, Q8_0>;

}  // namespace llamero::kernels
