#pragma once

#include <cstdint>

#include "engine/context.h"
#include "model.h"

namespace llamero {

/// What a context of a model takes, in bytes; nothing is allocated to find out.
///
/// llama.cpp's own accounting (`common/fit.h`) loads the model a second time and swaps the process's log sink meanwhile,
/// which other engines' threads may be writing to; so this is a formula over the model's metadata:
///
///   per cell       layers × KV heads × (key length + value length), in the cache's types
///   per sequence   recurrent layers' states, single precision, one and as many as tokens can be taken back
///   buffers        one micro-batch's widest activations, and logits of every row that may be sampled
///   buffers, cell  the mask of a micro-batch in half precision; without flash attention also its scores, all heads
///   trained head   a layer more; buffers as the model's; inner states of a batch as they come and as they are read
///
/// Models with layers of different kinds (hybrid, shared or windowed caches) need less than that.
struct MemoryNeed {
  int64_t weights = 0;
  int64_t per_cell = 0;
  int64_t per_sequence = 0;
  int64_t buffers = 0;
  int64_t buffers_per_cell = 0;
  double gpu_share = 0;  // of all that, about
};

/// `options.cells` does not count. Throws Failure: ERR_OPTION_INVALID for an unknown KV type.
MemoryNeed NeedOf(const Model& model, const ContextOptions& options);

/// The type of a cache by its name. Throws Failure: ERR_OPTION_INVALID.
ggml_type KvType(const std::string& name);

}  // namespace llamero
