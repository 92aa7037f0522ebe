#include "engine/text.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace llamero {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Character {
  size_t length = 0;  // bytes that belong together
  bool valid = false;
  bool complete = true;
};

/// The first character of `bytes` by table 3-7 of the Unicode standard; an ill-formed start counts its maximal subpart.
Character FirstCharacter(std::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < length; i++) {
    if (i == bytes.size()) return {i, false, false};
    const uint8_t from = i == 1 ? low : 0x80;
    const uint8_t to = i == 1 ? high : 0xBF;
    if (byte(i) < from || byte(i) > to) return {i, false};
  }
  return {length, true};
}

}  // namespace

std::string Utf8Assembler::Add(std::string_view bytes) {
  held_ += bytes;
  std::string text;
  text.reserve(held_.size());
  std::string_view rest = held_;
  while (!rest.empty()) {
    const Character character = FirstCharacter(rest);
    if (!character.complete) break;
    text += character.valid ? rest.substr(0, character.length) : kReplacement;
    rest.remove_prefix(character.length);
  }
  held_ = std::string(rest);
  return text;
}

std::string Utf8Assembler::Finish() {
  const bool cut = !held_.empty();
  held_.clear();
  return std::string(cut ? kReplacement : "");
}

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

StopMatcher::Outcome StopMatcher::Add(std::string text) {
  if (stops_.empty()) return {std::move(text)};
  held_ += text;
  size_t begin = std::string::npos;
  size_t end = std::string::npos;
  for (const std::string& stop : stops_) {
    const size_t at = held_.find(stop);
    if (at == std::string::npos) continue;
    // The one that is complete first wins, so that the outcome does not depend on how the text was cut into pieces.
    if (std::make_pair(at + stop.size(), at) < std::make_pair(end, begin)) begin = at, end = at + stop.size();
  }
  if (begin != std::string::npos) {
    std::string before = held_.substr(0, begin);
    held_.clear();
    return {std::move(before), true};
  }
  const size_t keep = LengthOfPossibleStart();
  std::string safe = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return {std::move(safe)};
}

size_t StopMatcher::LengthOfPossibleStart() const {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    for (size_t length = std::min(stop.size() - 1, held_.size()); length > longest; length--) {
      if (std::string_view(held_).ends_with(std::string_view(stop).substr(0, length))) longest = length;
    }
  }
  return longest;
}

std::string StopMatcher::Finish() { return std::exchange(held_, {}); }

std::string TextAssembler::Finish() {
  StopMatcher::Outcome last = stops_.Add(characters_.Finish());
  return last.stopped ? last.text : last.text + stops_.Finish();
}

}  // namespace llamero
