#pragma once

#include <string>

namespace llamero {

/// The GBNF grammar of a JSON Schema, by llama.cpp's converter, which knows few keywords, ignores the others and takes
/// time by the cube of optional properties: lib/chat/schema gives it what it knows, within limits.
/// Throws Failure: ERR_SCHEMA_UNSUPPORTED with its reason.
std::string SchemaToGrammar(const std::string& schema_json);

}  // namespace llamero
