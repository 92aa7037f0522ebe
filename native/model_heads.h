#pragma once

#include <llama.h>

namespace llamero {

/// What a file says that holds a model's trained head: a layer behind its others (MTP), or the head alone (EAGLE-3).
/// llama.cpp ends the process where it computes with weights that are not there or do not fit, so these are asked behind
/// loading and before anything is computed.

/// Throws Failure: ERR_MODEL_REJECTED if there are heads and nothing else.
void RequireTrunk(const llama_model* model);

/// Throws Failure: ERR_UNSUPPORTED unless the model has one head, which was loaded, and of a kind that llama.cpp computes
/// and engine/trained_heads.h can follow with.
void RequireHead(const llama_model* model);

/// Whether the file holds a head alone (EAGLE-3).
bool IsHeadAlone(const llama_model* model);

/// Throws Failure: ERR_UNSUPPORTED unless such a head was trained with a model of this shape, and llama.cpp hands out what
/// it reads of the model.
void RequireFit(const llama_model* model, const llama_model* head);

}  // namespace llamero
