#pragma once

#include <llama.h>

namespace llamero {

/// What a file says that holds a model's trained heads (MTP): layers behind its others. llama.cpp ends the process where
/// it computes with weights that were not there, so both are asked behind loading and before anything is computed.

/// Throws Failure: ERR_MODEL_REJECTED if there are heads and nothing else.
void RequireTrunk(const llama_model* model);

/// Throws Failure: ERR_UNSUPPORTED unless the model has one head, which was loaded, and of a kind that llama.cpp computes
/// and engine/trained_heads.h can follow with.
void RequireHead(const llama_model* model);

}  // namespace llamero
