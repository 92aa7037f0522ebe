#pragma once

#include <llama.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/grammar_rules.h"

namespace llamero {

/// The ways of a rule, without their ends.
using ParsedRule = std::vector<std::vector<GrammarElement>>;

/// A grammar's rules and sets, as its text has them.
struct ParsedGrammar {
  std::vector<ParsedRule> rules;
  std::vector<CodePointSet> sets;
  uint32_t root = 0;
};

/// Reads GBNF. Throws Failure: ERR_GRAMMAR.
ParsedGrammar ParseGrammar(std::string_view text, const llama_vocab* vocab);

}  // namespace llamero
