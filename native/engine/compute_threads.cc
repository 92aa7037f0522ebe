#include "engine/compute_threads.h"

#include <ggml-backend.h>

#include "failure.h"

namespace llamero {

namespace {
constexpr uint32_t kAllKernels = ~uint32_t{0};
}

/// With loadable backends the pool's functions are not linked but looked up in the CPU module.
struct ThreadPools::Pool {
  using New = ggml_threadpool_t (*)(ggml_threadpool_params*);
  using Free = void (*)(ggml_threadpool_t);
  using SetKernels = void (*)(ggml_threadpool_t, uint32_t);

  Pool(int threads, bool own_kernels) {
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    ggml_backend_reg_t registry = ggml_backend_dev_backend_reg(cpu);
    const auto make = reinterpret_cast<New>(ggml_backend_reg_get_proc_address(registry, "ggml_threadpool_new"));
    free = reinterpret_cast<Free>(ggml_backend_reg_get_proc_address(registry, "ggml_threadpool_free"));
    ggml_threadpool_params params = ggml_threadpool_params_default(threads);
    pool = make(&params);
    if (pool == nullptr) throw Failure("ERR_OUT_OF_MEMORY", "The compute threads could not be started.");
    if (!own_kernels) return;
    const auto set =
        reinterpret_cast<SetKernels>(ggml_backend_reg_get_proc_address(registry, "ggml_threadpool_set_kernels"));
    set(pool, kAllKernels);
  }
  ~Pool() {
    if (pool != nullptr) free(pool);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  ggml_threadpool_t pool = nullptr;
  Free free = nullptr;
};

ThreadPools::ThreadPools(bool own_kernels) : own_kernels_(own_kernels) {}
ThreadPools::~ThreadPools() = default;

ggml_threadpool_t ThreadPools::Of(int threads) {
  std::unique_ptr<Pool>& pool = pools_[threads];
  if (!pool) pool = std::make_unique<Pool>(threads, own_kernels_);
  return pool->pool;
}

/// A pool for just so many threads: those of a larger one that have nothing to do spin all the same, and take the cores
/// from the others. ggml pauses the pool that it leaves.
void ComputeThreads::Attach(llama_context* context, int threads) {
  if (threads == attached_) return;
  llama_attach_threadpool(context, pools_->Of(threads), nullptr);
  llama_set_n_threads(context, threads, threads);
  attached_ = threads;
}

void ComputeThreads::Detach(llama_context* context) {
  llama_detach_threadpool(context);
  attached_ = 0;
}

}  // namespace llamero
