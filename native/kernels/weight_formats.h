#pragma once

/// ggml's formats of weights and of the inputs that meet them, as the vectors of the module at hand take them in. A *group*
/// is as many blocks of 32 weights as fill a vector; its inputs are laid out once to lie as its weights come out.
///
/// Of each format, for few columns: `Weights(from, blocks)`, a group of up to kGroup blocks, the rest zero; `Lay`, the
/// inputs of one block; `Multiply(weights, inputs, sum)`, sum plus the group's products, spread over the vector.
///
/// For many: `Side`, one block of kSide rows, a lane each. `Lay` reads it; `Word(i)` are the weights 4 i to 4 i + 3 of each
/// row. `Head`: what stands before a block of inputs. Products begin with `Begin`; `Dot` adds those of a word and four
/// inputs, and `Add` makes of them, lane by lane, sum plus the block's products. So many columns at once as kColumns find
/// room in the registers.
#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
#include "kernels/weight_formats_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__) && !defined(__AVX512F__)
#include "kernels/weight_formats_avx2.h"
#else
#include <cstdint>
#include <tuple>

namespace llamero::kernels {

constexpr int64_t kBlock = 32;
constexpr int64_t kSide = 1;
using WeightFormats = std::tuple<>;

}  // namespace llamero::kernels
#endif
