#pragma once

#include <ggml.h>
#include <llama.h>

namespace llamero {

/// Throws Failure: ERR_UNSUPPORTED if a block of that type would hold keys of two heads. llama.cpp checks that only
/// where flash attention is on; without it it reads a head from the middle of a block, and the answer is silently wrong.
void RequireWholeBlocks(const llama_model* model, ggml_type key);

}  // namespace llamero
