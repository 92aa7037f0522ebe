#pragma once

#include <ggml-cpu-impl.h>

#ifdef __cplusplus
extern "C" {
#endif

/// llamero's own kernels, compiled into every CPU module of ggml. Upstream calls them (native/patches/own-kernels.patch)
/// where the pool of the threads that compute asks for them.

enum llamero_kernels { LLAMERO_ATTENTION = 1, LLAMERO_PRODUCTS = 2 };

/// `kernels`: a set of the flags above; 0, the default, leaves all to upstream. Not while the pool computes.
void ggml_threadpool_set_kernels(struct ggml_threadpool* pool, uint32_t kernels);
uint32_t ggml_threadpool_get_kernels(const struct ggml_threadpool* pool);

/// Computes a GGML_OP_FLASH_ATTN_EXT. Returns false, in every thread alike, for what it does not know: types, head
/// sizes, masks by head. Then nothing is done. The work buffer must hold llamero_attention_size bytes.
bool llamero_attention(const struct ggml_compute_params* params, struct ggml_tensor* dst);
size_t llamero_attention_size(const struct ggml_tensor* dst, int threads);

/// Computes a GGML_OP_MUL_MAT whose inputs upstream has quantised into the work buffer; otherwise as above.
bool llamero_multiply(const struct ggml_compute_params* params, struct ggml_tensor* dst);
size_t llamero_multiply_size(const struct ggml_tensor* dst, int threads);

#ifdef __cplusplus
}
#endif
