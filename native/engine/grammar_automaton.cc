#include "engine/grammar_automaton.h"

#include <algorithm>
#include <unordered_set>

#include "failure.h"

namespace llamero {
namespace {

// Ways that are followed side by side. A grammar that is ambiguous at every character doubles them each time.
constexpr size_t kMostStacks = 50'000;

// Of one automaton, which is made anew long before between two tokens. Each state has a place for every class of
// characters, so 64 KiB of grammar could come to some GB in one walk over the vocabulary.
constexpr size_t kMostBytes = size_t{128} << 20;

constexpr size_t kBytesOfFrame = 64;
constexpr size_t kBytesOfState = 192;

}  // namespace

size_t GrammarAutomaton::HashOfStacks::operator()(const std::vector<Stack>& stacks) const {
  size_t hash = stacks.size();
  for (const Stack stack : stacks) hash = (hash ^ stack) * 0x9E3779B97F4A7C15ull;
  return hash;
}

GrammarAutomaton::GrammarAutomaton(const GrammarRules& rules, std::span<const uint32_t> plain)
    : rules_(rules), plain_(plain) {
  frames_.push_back({0, kEmpty});
  std::vector<Stack> stacks;
  for (const uint32_t way : rules_.ways(rules_.root())) stacks.push_back(PushRest(way, kEmpty));
  start_ = Enter(std::move(stacks));
}

GrammarAutomaton::Stack GrammarAutomaton::Push(uint32_t place, Stack below) {
  const auto [found, added] = known_frames_.try_emplace(static_cast<uint64_t>(place) << 32 | below, frames_.size());
  if (added) {
    frames_.push_back({place, below});
    bytes_ += kBytesOfFrame;
  }
  return found->second;
}

GrammarAutomaton::Stack GrammarAutomaton::PushRest(uint32_t place, Stack below) {
  return rules_.element(place).sign == GrammarSign::kEnd ? below : Push(place, below);
}

GrammarAutomaton::State GrammarAutomaton::Enter(std::vector<Stack> stacks) {
  std::unordered_set<Stack> seen;
  std::vector<Stack> tops;
  while (!stacks.empty()) {
    const Stack stack = stacks.back();
    stacks.pop_back();
    if (!seen.insert(stack).second) continue;
    if (seen.size() > kMostStacks) {
      throw Failure("ERR_GRAMMAR", "The grammar is too ambiguous: it can go on in more than 50000 ways at one place.");
    }
    const Frame frame = frames_[stack];
    if (stack == kEmpty || rules_.element(frame.place).sign != GrammarSign::kRule) {
      tops.push_back(stack);
      continue;
    }
    const Stack below = PushRest(frame.place + 1, frame.below);
    for (const uint32_t way : rules_.ways(rules_.element(frame.place).value)) stacks.push_back(PushRest(way, below));
  }
  if (tops.empty()) return kNowhere;
  std::sort(tops.begin(), tops.end());
  const auto known = known_states_.find(tops);
  if (known != known_states_.end()) return known->second;

  Place place{.stacks = tops, .next = std::vector<State>(rules_.class_count(), kUnknown)};
  for (const Stack stack : tops) {
    const GrammarSign sign = rules_.element(frames_[stack].place).sign;
    if (stack == kEmpty)
      place.accepts = true;
    else if (sign != GrammarSign::kCharacter)
      place.waits_for_tokens = true;
  }
  bytes_ += kBytesOfState + tops.size() * 2 * sizeof(Stack) + place.next.size() * sizeof(State);
  if (bytes_ > kMostBytes) {
    throw Failure("ERR_GRAMMAR",
                  "The grammar has too many states; use fewer alternatives or fewer different characters.");
  }
  states_.push_back(std::move(place));
  const auto state = static_cast<State>(states_.size() - 1);
  known_states_.emplace(std::move(tops), state);
  return state;
}

std::vector<GrammarAutomaton::Stack> GrammarAutomaton::Behind(State state, uint32_t code_class) {
  std::vector<Stack> behind;
  for (const Stack stack : states_[state].stacks) {
    if (stack == kEmpty) continue;
    const Frame frame = frames_[stack];
    const GrammarElement element = rules_.element(frame.place);
    if (element.sign == GrammarSign::kCharacter && rules_.Holds(element.value, code_class)) {
      behind.push_back(PushRest(frame.place + 1, frame.below));
    }
  }
  return behind;
}

GrammarAutomaton::State GrammarAutomaton::FindNext(State state, uint32_t code_class) {
  const State next = Enter(Behind(state, code_class));
  states_[state].next[code_class] = next;
  return next;
}

/// Most classes leave the same stacks, so that one search serves all.
GrammarAutomaton::State GrammarAutomaton::FindNextIfPlain(State state) {
  State common = kNowhere;
  std::vector<Stack> first;
  for (const uint32_t code_class : plain_) {
    std::vector<Stack> behind = Behind(state, code_class);
    if (code_class == plain_.front()) {
      common = Enter(behind);
      first = std::move(behind);
    } else if (behind != first) {
      common = kNowhere;
    }
    if (common == kNowhere) break;
    states_[state].next[code_class] = common;
  }
  states_[state].next_if_plain = common;
  return common;
}

GrammarAutomaton::State GrammarAutomaton::NextByToken(State state, llama_token token, bool has_text, State by_text) {
  std::vector<Stack> behind;
  for (const Stack stack : states_[state].stacks) {
    if (stack == kEmpty) continue;
    const Frame frame = frames_[stack];
    const GrammarElement element = rules_.element(frame.place);
    const bool same = element.value == static_cast<uint32_t>(token);
    const bool matches = (element.sign == GrammarSign::kToken && same) ||
                         (element.sign == GrammarSign::kOtherToken && !same && has_text);
    if (matches) behind.push_back(PushRest(frame.place + 1, frame.below));
  }
  if (behind.empty()) return by_text;
  if (by_text != kNowhere) {
    const std::vector<Stack>& more = states_[by_text].stacks;
    behind.insert(behind.end(), more.begin(), more.end());
  }
  return Enter(std::move(behind));
}

GrammarAutomaton::State GrammarAutomaton::Adopt(const GrammarAutomaton& other, State state) {
  std::vector<Stack> stacks;
  for (Stack stack : other.states_[state].stacks) {
    std::vector<uint32_t> places;
    for (; stack != kEmpty; stack = other.frames_[stack].below) places.push_back(other.frames_[stack].place);
    Stack adopted = kEmpty;
    for (auto place = places.rbegin(); place != places.rend(); ++place) adopted = Push(*place, adopted);
    stacks.push_back(adopted);
  }
  return Enter(std::move(stacks));
}

}  // namespace llamero
