#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct common_chat_params;

namespace llamero {

struct ToolCall {
  std::string id;  // "" where the model gives none
  std::string name;
  std::string arguments;  // JSON; its beginning in a partial answer
};

/// An answer taken apart.
struct ChatAnswer {
  std::string content;
  std::string reasoning = {};
  std::vector<ToolCall> tool_calls = {};
};

/// How answers to one prompt are taken apart: llama.cpp's parser for the template, tools and schema of that prompt.
/// Immutable, so every thread may use it.
class ChatFormat {
 public:
  /// Throws what llama.cpp throws for a parser that does not load.
  explicit ChatFormat(const common_chat_params& params);
  ~ChatFormat();

  /// A partial text is taken apart as far as it goes. A whole text that does not follow the format is all content.
  /// REQUIRES: `text` is UTF-8.
  ChatAnswer Parse(const std::string& text, bool is_partial) const;

 private:
  struct Parser;
  std::unique_ptr<const Parser> parser_;
};

}  // namespace llamero
