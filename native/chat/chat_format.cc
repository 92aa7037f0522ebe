#include "chat/chat_format.h"

#include <exception>
#include <utility>

#include "chat/common_chat.h"

namespace llamero {

struct ChatFormat::Parser {
  common_chat_parser_params params;
};

ChatFormat::ChatFormat(const common_chat_params& params) {
  Parser parser{common_chat_parser_params(params)};
  if (!params.parser.empty()) parser.params.parser.load(params.parser);
  parser_ = std::make_unique<const Parser>(std::move(parser));
}

ChatFormat::~ChatFormat() = default;

ChatAnswer ChatFormat::Parse(const std::string& text, bool is_partial) const {
  common_chat_msg message;
  try {
    message = common_chat_parse(text, is_partial, parser_->params);
  } catch (const std::exception&) {
    // Models do write what their format does not allow, and their reader shall see what they wrote.
    return {.content = text};
  }
  ChatAnswer answer{.content = std::move(message.content), .reasoning = std::move(message.reasoning_content)};
  for (common_chat_tool_call& call : message.tool_calls) {
    answer.tool_calls.push_back({std::move(call.id), std::move(call.name), std::move(call.arguments)});
  }
  return answer;
}

}  // namespace llamero
