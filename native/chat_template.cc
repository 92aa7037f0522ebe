#include "chat_template.h"

#include <chat.h>

#include "failure.h"

namespace llamero {
namespace {

std::string SpecialText(const Model& model, llama_token token) {
  return model.IsToken(token) ? llama_vocab_get_text(model.vocab(), token) : "";
}

std::string TemplateSource(const Model& model, const std::string& given) {
  // common_chat_templates_init repairs two published templates and falls back to ChatML; only its source is used here,
  // because the rendering below must know which characters came from messages.
  const auto templates = common_chat_templates_init(model.get(), given);
  return common_chat_templates_source(templates.get());
}

}  // namespace

std::vector<TextPart> RenderChat(const Model& model, const RenderInput& input) {
  try {
    const common_chat_template source(TemplateSource(model, input.chat_template),
                                      SpecialText(model, llama_vocab_bos(model.vocab())),
                                      SpecialText(model, llama_vocab_eos(model.vocab())));
    jinja::context context(source.source());
    common_json trusted{
        {"bos_token", source.bos_token()},
        {"eos_token", source.eos_token()},
    };
    if (input.add_generation_prompt) trusted["add_generation_prompt"] = true;
    jinja::global_from_json(context, trusted, false);
    common_json untrusted = common_json::parse(input.variables_json);
    untrusted["messages"] = common_json::parse(input.messages_json);
    jinja::global_from_json(context, untrusted, true);

    jinja::runtime runtime(context);
    const jinja::value results = runtime.execute(source.prog);
    std::vector<TextPart> parts;
    for (const auto& part : jinja::runtime::gather_string_parts(results)->as_string().parts) {
      parts.push_back({part.val, !part.is_input});
    }
    return parts;
  } catch (...) {
    throw CurrentFailure("ERR_TEMPLATE");
  }
}

}  // namespace llamero
