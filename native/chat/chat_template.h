#pragma once

#include <llama.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chat/chat_format.h"
#include "engine/request.h"
#include "model.h"
#include "tokenizer.h"

namespace llamero {

/// What a template offers, found by rendering it.
struct ChatTemplateInfo {
  std::string source;
  bool supports_system_role = false;
  bool supports_tools = false;
  bool supports_tool_calls = false;
  bool supports_parallel_tool_calls = false;
  bool supports_thinking = false;
  bool requires_typed_content = false;
};

enum class ToolChoice { kAuto, kRequired, kNone };
/// What of the last message goes on in the answer; kAuto goes by the message.
enum class Continuation { kNone, kAuto, kReasoning, kContent };

struct ChatInput {
  std::string messages_json;  // array of messages in OpenAI's shape
  std::string tools_json;     // array of tools in OpenAI's shape; "" for none
  ToolChoice tool_choice = ToolChoice::kAuto;
  bool parallel_tool_calls = false;
  std::string schema_json;  // of the answer's text; "" for none
  std::string grammar;      // GBNF of the answer's text; "" for none
  bool thinking = true;
  bool separate_thinking = true;
  std::string variables_json;  // object of further template variables
  bool add_generation_prompt = true;
  Continuation continuation = Continuation::kNone;
  int64_t now_ms = 0;  // since 1970
};

struct ThinkingTags {
  std::string start;
  std::vector<std::string> ends;
  std::string prefix;  // the beginning of the answer that the prompt holds already
};

struct ChatPrompt {
  std::vector<TextPart> parts;
  std::string grammar = {};
  bool grammar_lazy = false;
  std::vector<GrammarTrigger> triggers = {};
  std::string grammar_prefix = {};
  std::vector<llama_token> preserved_tokens = {};
  std::vector<std::string> stops;
  std::optional<ThinkingTags> thinking = {};
  std::shared_ptr<const ChatFormat> format;
  bool is_plain = false;
};

/// A Jinja template with llama.cpp's analysis of it. Immutable, so every thread may use it. It does not keep the model
/// in memory.
class ChatTemplate {
 public:
  /// `source` may be "" for the model's own, and ChatML where it has none.
  /// Throws Failure: ERR_TEMPLATE with the line for one that does not parse or runs over its limits.
  ChatTemplate(const std::shared_ptr<const Model>& model, const std::string& source);
  ~ChatTemplate();

  const ChatTemplateInfo& info() const { return info_; }

  /// The prompt of a conversation and how its answer is to be read. What came from the input is marked untrusted.
  /// Throws Failure: ERR_TEMPLATE with the line, ERR_DISPOSED when the model was closed.
  ChatPrompt Prompt(const ChatInput& input) const;

 private:
  struct Compiled;
  std::weak_ptr<const Model> model_;
  std::unique_ptr<const Compiled> compiled_;
  ChatTemplateInfo info_;
};

}  // namespace llamero
