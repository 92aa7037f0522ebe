#include "chat/template_failure.h"

#include <algorithm>
#include <string_view>

#include "chat/common_chat.h"
#include "tokenizer.h"

namespace llamero {
namespace {

// What a template says when it raises an exception; it may have put text of the conversation into it.
constexpr size_t kMostBytes = 1024;

/// Where llama.cpp says that it stopped, as "line 3, column 7"; "" if it does not.
std::string PlaceIn(std::string_view text) {
  const size_t from = text.find("line ");
  if (from == std::string_view::npos) return "";
  const size_t column = text.find(", column ", from);
  if (column == std::string_view::npos) return "";
  const size_t to = text.find_first_not_of("0123456789", column + std::string_view(", column ").size());
  return std::string(text.substr(from, to == std::string_view::npos ? to : to - from));
}

/// The reason without the excerpts of the source that llama.cpp puts before or behind it.
std::string ReasonIn(std::string_view text) {
  constexpr std::string_view kMarker = "\nError: ";
  if (const size_t marker = text.find(kMarker); marker != std::string_view::npos) {
    text.remove_prefix(marker + kMarker.size());
  } else {
    for (const std::string_view prefix : {"lexer: ", "parser: "}) {
      if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
    }
    if (const std::string place = PlaceIn(text.substr(0, text.find('\n'))); !place.empty()) {
      const size_t end = text.find(place) + place.size();
      if (text.substr(end, 2) == ": ") text.remove_prefix(end + 2);
    }
    text = text.substr(0, text.find("\n..."));
  }
  while (text.ends_with('.') || text.ends_with('\n')) text.remove_suffix(1);
  return std::string(text);
}

Failure FailureAt(const std::string& place, std::string reason) {
  if (reason.size() > kMostBytes) reason = reason.substr(0, kMostBytes) + " …";
  const std::string at = place.empty() ? "" : " at " + place;
  return Failure("ERR_TEMPLATE", "The chat template failed" + at + ": " + WellFormedUtf8(reason) + ".");
}

}  // namespace

Failure TemplateFailure(const std::string& source) {
  try {
    throw;
  } catch (const jinja::limit_exceeded& exceeded) {
    if (exceeded.pos == std::string::npos) return FailureAt("", exceeded.message);
    const auto before = std::string_view(source).substr(0, exceeded.pos);
    return FailureAt("line " + std::to_string(1 + std::count(before.begin(), before.end(), '\n')), exceeded.message);
  } catch (...) {
    const Failure failure = CurrentFailure("ERR_TEMPLATE");
    if (failure.code() != "ERR_TEMPLATE") return failure;
    return FailureAt(PlaceIn(failure.what()), ReasonIn(failure.what()));
  }
}

}  // namespace llamero
