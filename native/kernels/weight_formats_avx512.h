#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <tuple>

#include <ggml.h>

#include "kernels/vector.h"

/// See weight_formats.h. Vectors hold 64 bytes, and the sums of four products are added to a lane by one instruction.
namespace llamero::kernels {

constexpr int64_t kBlock = 32;
constexpr int64_t kSide = 16;

/// Four words of each of kSide rows that lie `stride` bytes apart, of which there are `rows`: words[i] is the i-th word of
/// each, a lane a row. Lanes beyond are the last row's.
inline void LayWords(const char* from, int64_t stride, int64_t rows, __m512i* words) {
  const auto four = [&](int64_t row) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + std::min(row, rows - 1) * stride));
  };
  __m512i every[4];  // rows i, i + 4, i + 8 and i + 12
  for (int64_t i = 0; i < 4; i++) {
    every[i] = _mm512_castsi128_si512(four(i));
    every[i] = _mm512_inserti32x4(every[i], four(i + 4), 1);
    every[i] = _mm512_inserti32x4(every[i], four(i + 8), 2);
    every[i] = _mm512_inserti32x4(every[i], four(i + 12), 3);
  }
  const __m512i low01 = _mm512_unpacklo_epi32(every[0], every[1]);
  const __m512i high01 = _mm512_unpackhi_epi32(every[0], every[1]);
  const __m512i low23 = _mm512_unpacklo_epi32(every[2], every[3]);
  const __m512i high23 = _mm512_unpackhi_epi32(every[2], every[3]);
  words[0] = _mm512_unpacklo_epi64(low01, low23);
  words[1] = _mm512_unpackhi_epi64(low01, low23);
  words[2] = _mm512_unpacklo_epi64(high01, high23);
  words[3] = _mm512_unpackhi_epi64(high01, high23);
}

/// The first word of each of the rows.
inline __m512i LayWord(const char* from, int64_t stride, int64_t rows) {
  // Not by way of memory, which would have to join what was written in pieces.
  const auto word = [&](int64_t row) {
    int32_t four;
    std::memcpy(&four, from + std::min(row, rows - 1) * stride, sizeof(four));
    return four;
  };
  return _mm512_setr_epi32(word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7), word(8), word(9),
                           word(10), word(11), word(12), word(13), word(14), word(15));
}

/// The half-precision numbers in the low halves of the words.
inline __m512 LowHalves(__m512i words) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words)); }

/// What the formats have in common where rows lie side by side: unsigned weights meet signed inputs.
struct SideBySide {
  static constexpr int64_t kColumns = 8;

  using Words = __m512i;
  using Products = __m512i;

  static Products Dot(Products products, Words weights, int32_t inputs) {
    return _mm512_dpbusd_epi32(products, weights, _mm512_set1_epi32(inputs));
  }
};

/// q4_1: scale and offset in half precision, then 16 bytes whose low halves are the first 16 weights. Meets q8_1: scale
/// and the scaled sum, then 32 signed bytes.
struct Q4_1 : SideBySide {
  static constexpr ggml_type kType = GGML_TYPE_Q4_1;
  static constexpr int64_t kGroup = 4;
  static constexpr int64_t kWeightSize = 2 + 2 + kBlock / 2;
  static constexpr int64_t kInputSize = 2 + 2 + kBlock;

  struct alignas(64) Inputs {
    int8_t low[64];    // what meets the low halves of each block's 16 bytes
    int8_t high[64];   // and the high ones
    float scales[16];  // by block, four times
    float sums[16];    // of block i number 2 i + 1; all others are 0
  };

  struct Weights {
    Weights(const char* from, int64_t blocks) {
      // Of the 20 words of 4 bytes, 5 for each block.
      const __mmask16 first = blocks == kGroup ? 0xFFFF : (1u << 5 * blocks) - 1;
      const __mmask16 last = blocks == kGroup ? 0xF : 0;
      const __m512i words = _mm512_maskz_loadu_epi32(first, from);
      const __m512i rest = _mm512_maskz_loadu_epi32(last, from + 64);
      const __m512i bytes = _mm512_permutex2var_epi32(
          words, _mm512_setr_epi32(1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 19), rest);
      const __m512i mask = _mm512_set1_epi8(0xF);
      low = _mm512_and_si512(bytes, mask);
      high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), mask);
      // Scale and offset of each block are one word; eight numbers are converted at once and spread only then.
      const __m512i four =
          _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 5, 10, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), words);
      heads = _mm512_zextps256_ps512(_mm256_cvtph_ps(_mm512_castsi512_si128(four)));
      scales = _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6), heads);
    }

    __m512i low, high;
    __m512 heads, scales;
  };

  static void Lay(const char* from, int64_t block, Inputs& inputs) {
    std::memcpy(inputs.low + block * 16, from + 4, 16);
    std::memcpy(inputs.high + block * 16, from + 4 + 16, 16);
    std::fill_n(inputs.scales + block * 4, 4, LoadOneHalf(from));
    inputs.sums[block * 2 + 1] = LoadOneHalf(from + 2);
  }

  static __m512 Multiply(const Weights& weights, const Inputs& inputs, __m512 sum) {
    __m512i products = _mm512_dpbusd_epi32(_mm512_setzero_si512(), weights.low, _mm512_load_si512(inputs.low));
    products = _mm512_dpbusd_epi32(products, weights.high, _mm512_load_si512(inputs.high));
    const __m512 scales = _mm512_mul_ps(weights.scales, _mm512_load_ps(inputs.scales));
    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), scales, sum);
    return _mm512_fmadd_ps(weights.heads, _mm512_load_ps(inputs.sums), sum);
  }

  static constexpr int64_t kInputHead = 4;

  struct Head {
    explicit Head(const char* from) : scale(LoadOneHalf(from)), sum(LoadOneHalf(from + 2)) {}
    Products Begin() const { return _mm512_setzero_si512(); }

    float scale, sum;
  };

  struct Side {
    void Lay(const char* from, int64_t stride, int64_t rows) {
      LayWords(from + 4, stride, rows, words);
      const __m512i heads = LayWord(from, stride, rows);
      scales = LowHalves(heads);
      offsets = LowHalves(_mm512_srli_epi32(heads, 16));
    }
    Words Word(int i) const {
      const __m512i mask = _mm512_set1_epi8(0xF);
      return _mm512_and_si512(i < 4 ? words[i] : _mm512_srli_epi16(words[i - 4], 4), mask);
    }
    __m512 Add(const Head& head, Products products, __m512 sum) const {
      const __m512 factors = _mm512_mul_ps(scales, _mm512_set1_ps(head.scale));
      sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), factors, sum);
      return _mm512_fmadd_ps(offsets, _mm512_set1_ps(head.sum), sum);
    }

    __m512i words[4];  // four bytes whose low halves are the weights 4 i, 4 i + 1 …, the high ones those 16 further
    __m512 scales, offsets;
  };
};

/// q8_0: a scale in half precision, then 32 signed bytes; inputs alike. The instruction wants one side unsigned: that is
/// the weights plus 128, and what this adds to a block's sum is subtracted beforehand.
struct Q8_0 : SideBySide {
  static constexpr ggml_type kType = GGML_TYPE_Q8_0;
  static constexpr int64_t kGroup = 2;
  static constexpr int64_t kWeightSize = 2 + kBlock;
  static constexpr int64_t kInputSize = 2 + kBlock;

  struct alignas(64) Inputs {
    int8_t bytes[64];
    int32_t before[16];  // -128 times the sum of a block's bytes, once
    float scales[16];    // by block, eight times
  };

  struct Weights {
    Weights(const char* from, int64_t blocks) {
      const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 2));
      __m256i second = _mm256_set1_epi8(-128);
      float second_scale = 0;
      if (blocks == kGroup) {
        second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + kWeightSize + 2));
        second_scale = LoadOneHalf(from + kWeightSize);
      }
      const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
      bytes = _mm512_xor_si512(both, _mm512_set1_epi8(-128));
      scales = _mm512_insertf32x8(_mm512_set1_ps(LoadOneHalf(from)), _mm256_set1_ps(second_scale), 1);
    }

    __m512i bytes;
    __m512 scales;
  };

  static void Lay(const char* from, int64_t block, Inputs& inputs) {
    std::memcpy(inputs.bytes + block * kBlock, from + 2, kBlock);
    int32_t sum = 0;
    for (int64_t i = 0; i < kBlock; i++) sum += inputs.bytes[block * kBlock + i];
    inputs.before[block * 8] = -128 * sum;
    std::fill_n(inputs.scales + block * 8, 8, LoadOneHalf(from));
  }

  static __m512 Multiply(const Weights& weights, const Inputs& inputs, __m512 sum) {
    const __m512i products =
        _mm512_dpbusd_epi32(_mm512_load_si512(inputs.before), weights.bytes, _mm512_load_si512(inputs.bytes));
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), _mm512_mul_ps(weights.scales, _mm512_load_ps(inputs.scales)),
                           sum);
  }

  static constexpr int64_t kInputHead = 2;

  struct Head {
    explicit Head(const char* from) : scale(LoadOneHalf(from)) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 2));
      // Four to a word, of which eight are left to add.
      const __m256i fours = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), bytes);
      before = -128 * _mm512_reduce_add_epi32(_mm512_zextsi256_si512(fours));
    }
    Products Begin() const { return _mm512_set1_epi32(before); }

    float scale;
    int32_t before;
  };

  struct Side {
    void Lay(const char* from, int64_t stride, int64_t rows) {
      LayWords(from + 2, stride, rows, words);
      LayWords(from + 2 + 16, stride, rows, words + 4);
      for (__m512i& word : words) word = _mm512_xor_si512(word, _mm512_set1_epi8(-128));
      scales = LowHalves(LayWord(from, stride, rows));
    }
    Words Word(int i) const { return words[i]; }
    __m512 Add(const Head& head, Products products, __m512 sum) const {
      return _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), _mm512_mul_ps(scales, _mm512_set1_ps(head.scale)), sum);
    }

    __m512i words[8];
    __m512 scales;
  };
};

using WeightFormats = std::tuple<Q4_1, Q8_0>;

}  // namespace llamero::kernels
