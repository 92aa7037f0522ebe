#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

/// Single-precision vectors of the width that the module at hand is compiled for. Compiler vector types: one source for
/// AVX-512, AVX2, SSE4.2 and NEON; only what they cannot say stands in intrinsics.
namespace llamero::kernels {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif

/// 32 registers hold a larger tile of accumulators.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr bool kManyRegisters = true;
#else
constexpr bool kManyRegisters = false;
#endif

/// Half precision in one instruction, which takes several otherwise.
#if defined(__AVX512F__) || defined(__F16C__) || defined(__aarch64__)
constexpr bool kConvertsHalves = true;
#else
constexpr bool kConvertsHalves = false;
#endif

typedef float Vector __attribute__((vector_size(4 * kWidth)));
typedef int32_t Integers __attribute__((vector_size(4 * kWidth)));
typedef float Quad __attribute__((vector_size(16)));

inline Vector Load(const float* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof(vector));
  return vector;
}

inline void Store(float* to, Vector vector) { std::memcpy(to, &vector, sizeof(vector)); }

/// Taking 0 away costs nothing, but adding it would be an instruction: it makes 0 of -0.
inline Vector Broadcast(float value) { return value - Vector{}; }

/// The same bits. Between vector types a cast in C's way changes no bit.
inline Vector Bits(Integers bits) { return (Vector)bits; }
inline Integers Bits(Vector vector) { return (Integers)vector; }

inline Vector Select(Integers condition, Vector yes, Vector no) {
  return Bits((condition & Bits(yes)) | (~condition & Bits(no)));
}

inline Vector Max(Vector a, Vector b) {
#if defined(__AVX512F__)
  return _mm512_max_ps(a, b);
#elif defined(__AVX__)
  return _mm256_max_ps(a, b);
#elif defined(__SSE__)
  return _mm_max_ps(a, b);
#elif defined(__ARM_NEON)
  return vmaxq_f32(a, b);
#else
  return Select(a > b, a, b);
#endif
}

/// IEEE 754 half-precision numbers as stored.
inline Vector LoadHalf(const uint16_t* from) {
#if defined(__AVX512F__)
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
#elif defined(__F16C__)
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
#elif defined(__aarch64__)
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
#else
  // Exponent and mantissa at their new place are 2^112 too small, subnormal ones included; infinity and NaN are not.
  typedef uint16_t Halves __attribute__((vector_size(2 * kWidth)));
  Halves halves;
  std::memcpy(&halves, from, sizeof(halves));
  const Integers wide = __builtin_convertvector(halves, Integers);
  const Integers magnitude = (wide & 0x7FFF) << 13;
  const Vector finite = Bits(magnitude) * 0x1p112f;
  const Vector endless = Bits(magnitude | 0x7F800000);
  return Bits(Bits(Select(magnitude >= 0x0F800000, endless, finite)) | ((wide & 0x8000) << 16));
#endif
}

/// One of them.
inline float LoadOneHalf(const void* from) {
  uint16_t half;
  std::memcpy(&half, from, sizeof(half));
#if defined(__F16C__)
  return _cvtsh_ss(half);
#elif defined(__aarch64__)
  return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(half))), 0);
#else
  const uint16_t halves[kWidth] = {half};
  return LoadHalf(halves)[0];
#endif
}

inline Vector LoadBrain(const uint16_t* from) {
#if defined(__aarch64__)
  return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(from), 16));
#else
  typedef uint16_t Halves __attribute__((vector_size(2 * kWidth)));
  Halves halves;
  std::memcpy(&halves, from, sizeof(halves));
  return Bits(__builtin_convertvector(halves, Integers) << 16);
#endif
}

inline Vector LoadBytes(const int8_t* from) {
#if defined(__AVX512F__)
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#elif defined(__AVX2__)
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#elif defined(__aarch64__)
  int32_t four;
  std::memcpy(&four, from, sizeof(four));
  const int16x8_t halves = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(halves)));
#else
  typedef int8_t Bytes __attribute__((vector_size(kWidth)));
  Bytes bytes;
  std::memcpy(&bytes, from, sizeof(bytes));
  return __builtin_convertvector(__builtin_convertvector(bytes, Integers), Vector);
#endif
}

inline Vector Round(Vector x) {
  // Adding 1.5 * 2^23 leaves no bits behind the point. |x| must stay below 2^22.
  const Vector magic = Broadcast(0x1.8p23f);
  const Vector moved = x + magic;
  return moved - magic;
}

/// e^x within 2 units in the last place for x from -87 to 88; 0 below that, minus infinity included.
inline Vector Exp(Vector x) {
  const Integers tiny = x < -87.0f;
  const Vector bounded = Max(x, Broadcast(-87.0f));
  const Vector n = Round(bounded * 0x1.715476p+0f);
  // ln 2 in two parts, so that the rest is exact.
  const Vector r = (bounded - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
  // Taylor up to the seventh power; |r| is at most ln(2) / 2.
  Vector p = Broadcast(1.0f / 5040);
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const Integers exponent = (__builtin_convertvector(n, Integers) + 127) << 23;
  return Bits(~tiny & Bits(p * Bits(exponent)));
}

/// Within 1e-6, for any x.
inline Vector Tanh(Vector x) {
  const Vector bounded = Max(Broadcast(-10.0f), -Max(Broadcast(-10.0f), -x));
  return 1.0f - 2.0f / (Exp(2.0f * bounded) + 1.0f);
}

inline float LargestOf(Vector x) {
  float numbers[kWidth];
  std::memcpy(numbers, &x, sizeof(x));
  for (int half = kWidth / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) numbers[i] = numbers[i] > numbers[i + half] ? numbers[i] : numbers[i + half];
  }
  return numbers[0];
}

inline float SumOf(Vector x) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps(x);
#else
  float numbers[kWidth];
  std::memcpy(numbers, &x, sizeof(x));
  for (int half = kWidth / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) numbers[i] += numbers[i + half];
  }
  return numbers[0];
#endif
}

/// The four sums.
inline Quad SumsOf(Vector a, Vector b, Vector c, Vector d) {
#if defined(__AVX512F__)
  const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
  const __m512 low = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd)));
  const __m512 high = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd)));
  const __m512 lanes = _mm512_add_ps(low, high);
  const __m512 halves = _mm512_add_ps(lanes, _mm512_shuffle_f32x4(lanes, lanes, 0b01001110));
  return _mm_add_ps(_mm512_castps512_ps128(halves), _mm256_extractf128_ps(_mm512_castps512_ps256(halves), 1));
#elif defined(__AVX__)
  const __m256 lanes = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  return _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
#elif defined(__aarch64__)
  return vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d));
#else
  return Quad{SumOf(a), SumOf(b), SumOf(c), SumOf(d)};
#endif
}

}  // namespace llamero::kernels
