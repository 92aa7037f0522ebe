#include "schema.h"

#include <json-schema-to-grammar.h>

#include "failure.h"

namespace llamero {

std::string SchemaToGrammar(const std::string& schema_json) {
  try {
    return json_schema_to_grammar(common_json::parse(schema_json), /* force_gbnf= */ true);
  } catch (const std::exception& error) {
    throw Failure("ERR_SCHEMA_UNSUPPORTED", std::string("The schema has no grammar: ") + error.what());
  }
}

}  // namespace llamero
