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

/// What the kernels keep within one graph, of a pool. Where memory ran out it is null: upstream computes then.
struct llamero_graph;
struct llamero_graph* ggml_threadpool_get_graph(const struct ggml_threadpool* pool);
/// Before a graph is planned: forgets the last one. Made on first use, and freed with the pool.
void llamero_graph_begin(struct llamero_graph** graph);
void llamero_graph_free(struct llamero_graph* graph);

/// Computes a GGML_OP_FLASH_ATTN_EXT. Returns false, in every thread alike, for what it does not know: types, head
/// sizes, masks by head. Then nothing is done. The work buffer must hold llamero_attention_plan's bytes.
bool llamero_attention(const struct ggml_compute_params* params, struct ggml_tensor* dst);
/// To be called for every such operation before the graph is computed; returns the bytes that it needs.
size_t llamero_attention_plan(const struct ggml_tensor* dst, int threads, struct llamero_graph* graph);

/// Computes a GGML_OP_MUL_MAT whose inputs upstream has quantised into the work buffer; otherwise as above.
bool llamero_multiply(const struct ggml_compute_params* params, struct ggml_tensor* dst);
size_t llamero_multiply_size(const struct ggml_tensor* dst, int threads);

/// The names of our kernels that compute in this module, up to a null pointer; native/backends.cc looks the function up.
const char* const* llamero_kernels_here(void);

#ifdef __cplusplus
}
#endif
