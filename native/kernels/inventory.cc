#include <tuple>

#include "kernels/kernels.h"
#include "kernels/weight_formats.h"

[[gnu::visibility("default")]] const char* const* llamero_kernels_here() {
#if defined(__AMX_INT8__)
  // Upstream lays out the weights of our types in its own way and multiplies them itself.
  constexpr bool multiplies = false;
#else
  constexpr bool multiplies = std::tuple_size_v<llamero::kernels::WeightFormats> != 0;
#endif
  static constexpr const char* kNames[] = {
      "attention",
      multiplies ? "products" : nullptr,
      nullptr,
  };
  return kNames;
}
