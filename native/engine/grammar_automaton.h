#pragma once

#include <llama.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/grammar_rules.h"

namespace llamero {

/// The places of a grammar at which texts can arrive, found as they are needed and kept: a step that was taken once
/// costs a look into a table.
///
/// A state is a set of stacks, each the places that remain to be read; stacks share what lies below their tops. Not safe
/// for threads.
class GrammarAutomaton {
 public:
  using State = uint32_t;
  static constexpr State kNowhere = UINT32_MAX;

  /// `plain`: classes of characters that NextIfPlain asks for.
  GrammarAutomaton(const GrammarRules& rules, std::span<const uint32_t> plain);

  State start() const { return start_; }
  const GrammarRules& rules() const { return rules_; }
  /// Whether the text may end here.
  bool Accepts(State state) const { return states_[state].accepts; }

  /// The state behind a code point of a class; kNowhere if none may stand here.
  State Next(State state, uint32_t code_class) {
    const State known = states_[state].next[code_class];
    return known != kUnknown ? known : FindNext(state, code_class);
  }

  /// The state behind every plain character, if it is the same for all of them; else kNowhere.
  State NextIfPlain(State state) {
    const State known = states_[state].next_if_plain;
    return known != kUnknown ? known : FindNextIfPlain(state);
  }

  /// Whether some stack waits for a token by its number instead of a character.
  bool WaitsForTokens(State state) const { return states_[state].waits_for_tokens; }
  /// The state behind a token by its number, joined with `by_text`, the one behind its text. One that has no text comes
  /// only where it is named.
  State NextByToken(State state, llama_token token, bool has_text, State by_text);

  /// The same state as `state` of another automaton over the same rules.
  State Adopt(const GrammarAutomaton& other, State state);

  /// What it takes by now.
  size_t bytes() const { return bytes_; }

 private:
  /// A stack: the place on top and the stack below. 0 is the empty one.
  using Stack = uint32_t;
  static constexpr State kUnknown = UINT32_MAX - 1;
  static constexpr Stack kEmpty = 0;

  struct Frame {
    uint32_t place;
    Stack below;
  };
  struct Place {
    std::vector<Stack> stacks;
    std::vector<State> next;
    State next_if_plain = kUnknown;
    bool accepts = false;
    bool waits_for_tokens = false;
  };
  struct HashOfStacks {
    size_t operator()(const std::vector<Stack>& stacks) const;
  };

  State FindNext(State state, uint32_t code_class);
  State FindNextIfPlain(State state);
  /// The stacks that remain when each reads a character.
  std::vector<Stack> Behind(State state, uint32_t code_class);
  Stack Push(uint32_t place, Stack below);
  /// `below` with the rest of a way that begins at `place` on top, if there is a rest.
  Stack PushRest(uint32_t place, Stack below);
  /// The state of stacks whose tops may be rules: these are entered.
  State Enter(std::vector<Stack> stacks);

  const GrammarRules& rules_;
  std::span<const uint32_t> plain_;
  std::vector<Frame> frames_;
  std::unordered_map<uint64_t, Stack> known_frames_;
  std::vector<Place> states_;
  std::unordered_map<std::vector<Stack>, State, HashOfStacks> known_states_;
  State start_ = 0;
  size_t bytes_ = 0;
};

}  // namespace llamero
