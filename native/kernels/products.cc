#include <tuple>
#include <type_traits>

#include "kernels/few_columns.h"
#include "kernels/kernels.h"
#include "kernels/many_columns.h"
#include "kernels/weight_formats.h"

namespace llamero::kernels {
namespace {

int64_t ColumnsOf(const ggml_tensor* dst) { return dst->ne[1] * dst->ne[2] * dst->ne[3]; }

/// Calls `use` with the class that computes the product; returns `otherwise` where it is not known.
template <class Result, class Use>
Result WithProduct(const ggml_tensor* dst, Result otherwise, Use use) {
  const ggml_tensor* weights = dst->src[0];
  if (dst->src[1]->type != GGML_TYPE_F32 || weights->ne[2] != 1 || weights->ne[3] != 1 || !ggml_is_contiguous(dst)) {
    return otherwise;
  }
  const auto by = [&]<class Format>(std::type_identity<Format>) {
    return ColumnsOf(dst) > kFewColumns ? use.template operator()<ManyColumns<Format>>()
                                        : use.template operator()<FewColumns<Format>>();
  };
  const auto among = [&]<class... Formats>(std::type_identity<std::tuple<Formats...>>) {
    Result result = otherwise;
    const bool known = ((weights->type == Formats::kType && (result = by(std::type_identity<Formats>()), true)) || ...);
    return known ? result : otherwise;
  };
  return among(std::type_identity<WeightFormats>());
}

}  // namespace
}  // namespace llamero::kernels

bool llamero_multiply(const ggml_compute_params* params, ggml_tensor* dst) {
  using namespace llamero::kernels;
  return WithProduct(dst, false, [&]<class Product>() {
    if (params->wsize < Product::Size(dst, params->nth)) return false;
    Product(params, dst).Run();
    return true;
  });
}

size_t llamero_multiply_size(const ggml_tensor* dst, int threads) {
  using namespace llamero::kernels;
  return WithProduct(dst, size_t{0}, [&]<class Product>() { return Product::Size(dst, threads); });
}
