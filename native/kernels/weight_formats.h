#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <ggml.h>

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
#include <immintrin.h>
#endif

/// ggml's formats of weights and of the inputs that meet them, as vectors of AVX-512 take them in. A *group* is as many
/// blocks of 32 weights as fill a vector; its inputs are laid out once to lie as its weights come out.
///
/// Of each format: `Weights(from, blocks)`, a group of up to kGroup blocks, the rest zero; `Lay`, the inputs of one
/// block; `Multiply(weights, inputs, sum)`, sum plus the group's products, spread over the vector.
namespace llamero::kernels {

constexpr int64_t kBlock = 32;

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)

inline float Half(const char* from) {
  uint16_t half;
  std::memcpy(&half, from, sizeof(half));
  return _cvtsh_ss(half);
}

/// q4_1: scale and offset in half precision, then 16 bytes whose low halves are the first 16 weights. Meets q8_1: scale
/// and the scaled sum, then 32 signed bytes.
struct Q4_1 {
  static constexpr ggml_type kType = GGML_TYPE_Q4_1;
  static constexpr int64_t kGroup = 4;
  static constexpr int64_t kWeightSize = 2 + 2 + kBlock / 2;
  static constexpr int64_t kInputSize = 2 + 2 + kBlock;

  struct alignas(64) Inputs {
    int8_t low[64];    // what meets the low halves of each block's 16 bytes
    int8_t high[64];   // and the high ones
    float scales[16];  // by block, four times
    float sums[16];    // by block, once
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
      const __m512i heads =
          _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 0, 0, 0, 5, 5, 5, 5, 10, 10, 10, 10, 15, 15, 15, 15), words);
      scales = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(heads));
      offsets = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(heads, 16)));
    }

    __m512i low, high;
    __m512 scales, offsets;
  };

  static void Lay(const char* from, int64_t block, Inputs& inputs) {
    std::memcpy(inputs.low + block * 16, from + 4, 16);
    std::memcpy(inputs.high + block * 16, from + 4 + 16, 16);
    std::fill_n(inputs.scales + block * 4, 4, Half(from));
    inputs.sums[block * 4] = Half(from + 2);
  }

  static __m512 Multiply(const Weights& weights, const Inputs& inputs, __m512 sum) {
    __m512i products = _mm512_dpbusd_epi32(_mm512_setzero_si512(), weights.low, _mm512_load_si512(inputs.low));
    products = _mm512_dpbusd_epi32(products, weights.high, _mm512_load_si512(inputs.high));
    const __m512 scales = _mm512_mul_ps(weights.scales, _mm512_load_ps(inputs.scales));
    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), scales, sum);
    return _mm512_fmadd_ps(weights.offsets, _mm512_load_ps(inputs.sums), sum);
  }
};

/// q8_0: a scale in half precision, then 32 signed bytes; inputs alike. The instruction wants one side unsigned: that is
/// the weights plus 128, and what this adds to a block's sum is subtracted beforehand.
struct Q8_0 {
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
        second_scale = Half(from + kWeightSize);
      }
      const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
      bytes = _mm512_xor_si512(both, _mm512_set1_epi8(-128));
      scales = _mm512_insertf32x8(_mm512_set1_ps(Half(from)), _mm256_set1_ps(second_scale), 1);
    }

    __m512i bytes;
    __m512 scales;
  };

  static void Lay(const char* from, int64_t block, Inputs& inputs) {
    std::memcpy(inputs.bytes + block * kBlock, from + 2, kBlock);
    int32_t sum = 0;
    for (int64_t i = 0; i < kBlock; i++) sum += inputs.bytes[block * kBlock + i];
    inputs.before[block * 8] = -128 * sum;
    std::fill_n(inputs.scales + block * 8, 8, Half(from));
  }

  static __m512 Multiply(const Weights& weights, const Inputs& inputs, __m512 sum) {
    const __m512i products =
        _mm512_dpbusd_epi32(_mm512_load_si512(inputs.before), weights.bytes, _mm512_load_si512(inputs.bytes));
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), _mm512_mul_ps(weights.scales, _mm512_load_ps(inputs.scales)),
                           sum);
  }
};

#endif

}  // namespace llamero::kernels
