#include "kernels/kernels.h"

/// The names of our kernels that compute in this module, up to a nullptr; native/backends.cc looks the function up.
extern "C" const char* const* llamero_kernels_here() {
  static constexpr const char* kNames[] = {
    "attention",
#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && !defined(__AMX_INT8__)
    // With AMX, upstream lays out the weights of our types in its own way and multiplies them itself.
    "products",
#endif
    nullptr,
  };
  return kNames;
}
