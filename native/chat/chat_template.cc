#include "chat/chat_template.h"

#include <algorithm>
#include <chrono>
#include <exception>

#include "chat/common_chat.h"
#include "chat/template_failure.h"
#include "failure.h"

namespace llamero {
namespace {

common_chat_tool_choice ToUpstream(ToolChoice choice) {
  switch (choice) {
    case ToolChoice::kRequired:
      return COMMON_CHAT_TOOL_CHOICE_REQUIRED;
    case ToolChoice::kNone:
      return COMMON_CHAT_TOOL_CHOICE_NONE;
    case ToolChoice::kAuto:
      break;
  }
  return COMMON_CHAT_TOOL_CHOICE_AUTO;
}

common_chat_continuation ToUpstream(Continuation continuation) {
  switch (continuation) {
    case Continuation::kAuto:
      return COMMON_CHAT_CONTINUATION_AUTO;
    case Continuation::kReasoning:
      return COMMON_CHAT_CONTINUATION_REASONING;
    case Continuation::kContent:
      return COMMON_CHAT_CONTINUATION_CONTENT;
    case Continuation::kNone:
      break;
  }
  return COMMON_CHAT_CONTINUATION_NONE;
}

common_chat_templates_inputs ToUpstream(const ChatInput& input) {
  common_chat_templates_inputs inputs;
  inputs.messages = common_chat_msgs_parse_oaicompat(common_json::parse(input.messages_json));
  if (!input.tools_json.empty()) {
    inputs.tools = common_chat_tools_parse_oaicompat(common_json::parse(input.tools_json));
  }
  inputs.tool_choice = ToUpstream(input.tool_choice);
  inputs.parallel_tool_calls = input.parallel_tool_calls;
  inputs.json_schema = input.schema_json;
  inputs.grammar = input.grammar;
  inputs.enable_thinking = input.thinking;
  inputs.reasoning_format = input.separate_thinking ? COMMON_REASONING_FORMAT_DEEPSEEK : COMMON_REASONING_FORMAT_NONE;
  const common_json variables = common_json::parse(input.variables_json);
  for (const auto& [name, value] : variables.items()) inputs.chat_template_kwargs[name] = value.dump();
  inputs.add_generation_prompt = input.add_generation_prompt;
  inputs.continue_final_message = ToUpstream(input.continuation);
  inputs.now = std::chrono::system_clock::time_point(std::chrono::milliseconds(input.now_ms));
  inputs.mark_prompt = true;
  return inputs;
}

// Steps of llama.cpp's Jinja engine, some 100 ns each. Of the 70 templates in its sources the dearest takes 160,000 to be
// analysed. A prompt takes up to 4,400 for each message and 3 for each byte; some templates look at all messages for each
// message (190 for each pair), and one copies all text before it (0.3 for each byte and message).
constexpr int64_t kSteps = 1'000'000;
constexpr int64_t kMostSteps = 50'000'000;

int64_t StepsFor(const ChatInput& input, const common_chat_templates_inputs& inputs) {
  const auto bytes = input.messages_json.size() + input.tools_json.size() + input.variables_json.size();
  const auto items = inputs.messages.size() + inputs.tools.size();
  const double steps = kSteps + 5'000. * items + 300. * items * items + bytes * (4 + 0.5 * items);
  return static_cast<int64_t>(std::min<double>(kMostSteps, steps));
}

bool AsksForCalls(const common_chat_templates_inputs& inputs) {
  return !inputs.tools.empty() && inputs.tool_choice != COMMON_CHAT_TOOL_CHOICE_NONE;
}

/// The runs of a marked prompt.
std::vector<TextPart> PartsOf(const std::string& marked) {
  std::vector<TextPart> parts;
  bool trusted = true;
  for (size_t from = 0; from <= marked.size();) {
    const char end = trusted ? COMMON_CHAT_INPUT_BEGIN : COMMON_CHAT_INPUT_END;
    const size_t to = std::min(marked.find(end, from), marked.size());
    if (to > from) parts.push_back({WellFormedUtf8(std::string_view(marked).substr(from, to - from)), trusted});
    trusted = !trusted;
    from = to + 1;
  }
  return parts;
}

std::string WithoutMarks(std::string marked) {
  std::erase(marked, COMMON_CHAT_INPUT_BEGIN);
  std::erase(marked, COMMON_CHAT_INPUT_END);
  return marked;
}

/// The token whose text this is, if it is one.
llama_token TokenOf(const Model& model, const std::string& text) {
  const auto tokens = TokensOfTemplate(model, text);
  return tokens.size() == 1 ? tokens.front() : LLAMA_TOKEN_NULL;
}

std::string Anchored(const std::string& pattern) {
  const char* begin = pattern.starts_with('^') ? "" : "^";
  return begin + pattern + (pattern.ends_with('$') ? "" : "$");
}

GrammarTrigger ToTrigger(const common_grammar_trigger& trigger, const Model& model,
                         const std::vector<llama_token>& preserved) {
  switch (trigger.type) {
    case COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN:
      return {"", trigger.token};
    case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN:
      return {trigger.value};
    case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN_FULL:
      return {Anchored(trigger.value)};
    case COMMON_GRAMMAR_TRIGGER_TYPE_WORD:
      break;
  }
  const llama_token token = TokenOf(model, trigger.value);
  const bool is_token = std::find(preserved.begin(), preserved.end(), token) != preserved.end();
  return is_token ? GrammarTrigger{"", token} : GrammarTrigger{regex_escape(trigger.value)};
}

}  // namespace

struct ChatTemplate::Compiled {
  common_chat_templates_ptr templates;

  common_chat_params Apply(const common_chat_templates_inputs& inputs) const {
    try {
      return common_chat_templates_apply(templates.get(), inputs);
    } catch (const std::invalid_argument&) {
      // No parser could be made for this template's answers; without tools none is needed. What is wrong with the
      // template itself fails again, with its own reason.
      if (AsksForCalls(inputs)) throw;
    }
    common_chat_templates_inputs plain = inputs;
    plain.force_pure_content = true;
    return common_chat_templates_apply(templates.get(), plain);
  }

  /// Whether answers hold nothing but text.
  bool IsPlain(const common_chat_templates_inputs& inputs) const {
    const auto* analysis = common_chat_templates_analysis(templates.get(), !inputs.tools.empty());
    return analysis != nullptr && analysis->reasoning.mode == autoparser::reasoning_mode::NONE &&
           analysis->content.mode == autoparser::content_mode::PLAIN && !AsksForCalls(inputs) &&
           inputs.json_schema.empty();
  }
};

ChatTemplate::ChatTemplate(const std::shared_ptr<const Model>& model, const std::string& source) : model_(model) {
  try {
    const jinja::budget_scope budget(kSteps);
    auto templates = common_chat_templates_init(model->get(), source);
    common_chat_templates_analyze(templates.get());
    const auto capabilities = common_chat_templates_get_caps(templates.get());
    info_ = {.source = WellFormedUtf8(common_chat_templates_source(templates.get())),
             .supports_system_role = capabilities.at("supports_system_role"),
             .supports_tools = capabilities.at("supports_tools"),
             .supports_tool_calls = capabilities.at("supports_tool_calls"),
             .supports_parallel_tool_calls = capabilities.at("supports_parallel_tool_calls"),
             .requires_typed_content = !capabilities.at("supports_string_content")};
    try {
      info_.supports_thinking = common_chat_templates_support_enable_thinking(templates.get());
    } catch (const std::exception&) {
      // It refuses the shortest of conversations; what it says to longer ones comes with them.
    }
    compiled_ = std::make_unique<const Compiled>(Compiled{std::move(templates)});
  } catch (...) {
    const char* own = llama_model_chat_template(model->get(), nullptr);
    throw TemplateFailure(source.empty() && own != nullptr ? own : source);
  }
}

ChatTemplate::~ChatTemplate() = default;

ChatPrompt ChatTemplate::Prompt(const ChatInput& input) const {
  const std::shared_ptr<const Model> model = model_.lock();
  if (!model) throw Failure("ERR_DISPOSED", "The model was closed; load it again.");
  try {
    const common_chat_templates_inputs inputs = ToUpstream(input);
    const jinja::budget_scope budget(StepsFor(input, inputs));
    common_chat_params params = compiled_->Apply(inputs);
    params.generation_prompt = WithoutMarks(std::move(params.generation_prompt));

    ChatPrompt prompt{.parts = PartsOf(params.prompt),
                      .stops = params.additional_stops,
                      .format = std::make_shared<const ChatFormat>(params),
                      .is_plain = compiled_->IsPlain(inputs)};
    for (const std::string& text : params.preserved_tokens) {
      const llama_token token = TokenOf(*model, text);
      if (token != LLAMA_TOKEN_NULL) prompt.preserved_tokens.push_back(token);
    }
    prompt.grammar = params.grammar.empty() ? input.grammar : params.grammar;
    if (!params.grammar.empty()) {
      prompt.grammar_lazy = params.grammar_lazy;
      if (!params.grammar_lazy) prompt.grammar_prefix = params.generation_prompt;
      for (const auto& trigger : params.grammar_triggers) {
        prompt.triggers.push_back(ToTrigger(trigger, *model, prompt.preserved_tokens));
      }
    }
    if (params.supports_thinking && !params.thinking_start_tag.empty() && !params.thinking_end_tags.empty()) {
      prompt.thinking = {params.thinking_start_tag, params.thinking_end_tags, params.generation_prompt};
    }
    return prompt;
  } catch (...) {
    throw TemplateFailure(info_.source);
  }
}

}  // namespace llamero
