#pragma once

#include <string>
#include <vector>

#include "model.h"
#include "tokenizer.h"

namespace llamero {

struct RenderInput {
  std::string messages_json;   // array of messages, as the template sees them
  std::string variables_json;  // object of further template variables
  std::string chat_template;   // "" for the model's own
  bool add_generation_prompt = true;
};

/// Renders a conversation with llama.cpp's Jinja engine. Text that came from messages or variables is marked untrusted.
/// A model without a template gets ChatML, as llama.cpp does.
/// Throws Failure: ERR_TEMPLATE for a template that does not parse or raises an exception.
std::vector<TextPart> RenderChat(const Model& model, const RenderInput& input);

}  // namespace llamero
