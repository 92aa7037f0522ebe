#include "kernels/few_columns.h"
#include "kernels/kernels.h"
#include "kernels/many_columns.h"
#include "kernels/weight_formats.h"

namespace llamero::kernels {
namespace {

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)

// From so many columns on, turning the weights round costs less than it saves.
constexpr int64_t kMany = 6;

int64_t ColumnsOf(const ggml_tensor* dst) { return dst->ne[1] * dst->ne[2] * dst->ne[3]; }

/// Calls `use` with the class that computes the product; returns `otherwise` where it is not known.
template <class Result, class Use>
Result WithProduct(const ggml_tensor* dst, Result otherwise, Use use) {
  const ggml_tensor* weights = dst->src[0];
  if (dst->src[1]->type != GGML_TYPE_F32 || weights->ne[2] != 1 || weights->ne[3] != 1 || !ggml_is_contiguous(dst)) {
    return otherwise;
  }
  const bool many = ColumnsOf(dst) >= kMany;
  if (weights->type == Q4_1::kType)
    return many ? use.template operator()<ManyColumns<Q4_1>>() : use.template operator()<FewColumns<Q4_1>>();
  if (weights->type == Q8_0::kType)
    return many ? use.template operator()<ManyColumns<Q8_0>>() : use.template operator()<FewColumns<Q8_0>>();
  return otherwise;
}

#endif

}  // namespace
}  // namespace llamero::kernels

bool llamero_multiply(const ggml_compute_params* params, ggml_tensor* dst) {
#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
  using namespace llamero::kernels;
  return WithProduct(dst, false, [&]<class Product>() {
    if (params->wsize < Product::Size(dst, params->nth)) return false;
    Product(params, dst).Run();
    return true;
  });
#else
  (void)params;
  (void)dst;
  return false;
#endif
}

size_t llamero_multiply_size(const ggml_tensor* dst, int threads) {
#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
  using namespace llamero::kernels;
  return WithProduct(dst, size_t{0}, [&]<class Product>() { return Product::Size(dst, threads); });
#else
  (void)dst;
  (void)threads;
  return 0;
#endif
}
