#pragma once

#include <llama.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model.h"

namespace llamero {

/// For each token whether a grammar allows it behind `tokens`: by our automaton, or by llama.cpp's own grammar, with which
/// tests compare it. Throws Failure: ERR_GRAMMAR.
std::vector<uint8_t> AllowedTokens(const Model& model, const std::string& grammar, std::span<const llama_token> tokens,
                                   bool upstream);

}  // namespace llamero
