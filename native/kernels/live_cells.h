#pragma once

#include <cstdint>

#include "kernels/vector.h"

namespace llamero::kernels {

/// What a row's mask says of one window: which cells it sees, and whether it adds more than 0 to any of them.
struct LiveCells {
  uint64_t cells = 0;
  bool biased = false;
};

constexpr uint16_t kMinusInfinity = 0xFC00;  // in half precision

/// `count`: up to 64. No mask: the row sees all of them.
inline LiveCells FindLiveCells(const uint16_t* mask, int64_t count) {
  LiveCells found;
  if (mask == nullptr) {
    found.cells = count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
    return found;
  }
#if defined(__AVX512BW__)
  for (int64_t i = 0; i < count; i += 32) {
    const int64_t left = count - i;
    const __mmask32 within = left >= 32 ? ~uint32_t{0} : (uint32_t{1} << left) - 1;
    const __m512i halves = _mm512_maskz_loadu_epi16(within, mask + i);
    const __mmask32 live = _mm512_mask_cmpneq_epi16_mask(within, halves, _mm512_set1_epi16(int16_t(kMinusInfinity)));
    found.cells |= uint64_t{live} << i;
    found.biased |= _mm512_mask_test_epi16_mask(live, halves, _mm512_set1_epi16(0x7FFF)) != 0;
  }
#else
  int64_t i = 0;
#if defined(__AVX2__)
  for (; i + 32 <= count; i += 32) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(mask + i));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(mask + i + 16));
    const __m256i none = _mm256_set1_epi16(int16_t(kMinusInfinity));
    const __m256i first_dead = _mm256_cmpeq_epi16(first, none);
    const __m256i second_dead = _mm256_cmpeq_epi16(second, none);
    const __m256i dead = _mm256_permute4x64_epi64(_mm256_packs_epi16(first_dead, second_dead), 0b11011000);
    found.cells |= uint64_t{~static_cast<uint32_t>(_mm256_movemask_epi8(dead))} << i;
    const __m256i bias =
        _mm256_or_si256(_mm256_andnot_si256(first_dead, first), _mm256_andnot_si256(second_dead, second));
    found.biased |= !_mm256_testz_si256(bias, _mm256_set1_epi16(0x7FFF));
  }
#endif
  for (; i < count; i++) {
    const bool live = mask[i] != kMinusInfinity;
    found.cells |= uint64_t{live} << i;
    found.biased |= live && (mask[i] & 0x7FFF) != 0;
  }
#endif
  return found;
}

}  // namespace llamero::kernels
