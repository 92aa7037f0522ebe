#include "bindings/chat_bindings.h"

#include "bindings/model_bindings.h"
#include "bindings/values.h"
#include "job.h"

namespace llamero {
namespace {

/// What reads templates and JSON recurses, and JSON may open a list with every byte.
size_t StackFor(size_t bytes) {
  constexpr size_t kBase = size_t{64} << 20;
  constexpr size_t kPerByte = 1024;
  return kBase + kPerByte * bytes;
}

ToolChoice ToToolChoice(const std::string& choice) {
  if (choice == "auto") return ToolChoice::kAuto;
  if (choice == "required") return ToolChoice::kRequired;
  if (choice == "none") return ToolChoice::kNone;
  throw Failure("ERR_INTERNAL", "The addon was called with an unknown choice of tools.");
}

Continuation ToContinuation(const std::string& continuation) {
  if (continuation == "none") return Continuation::kNone;
  if (continuation == "auto") return Continuation::kAuto;
  if (continuation == "reasoning") return Continuation::kReasoning;
  if (continuation == "content") return Continuation::kContent;
  throw Failure("ERR_INTERNAL", "The addon was called with an unknown continuation.");
}

ChatInput ToChatInput(const Napi::Value& value) {
  const Napi::Object given = ToObject(value);
  return {.messages_json = StringOf(given, "messagesJson"),
          .tools_json = StringOf(given, "toolsJson"),
          .tool_choice = ToToolChoice(StringOf(given, "toolChoice")),
          .parallel_tool_calls = BoolOf(given, "parallelToolCalls"),
          .schema_json = StringOf(given, "schemaJson"),
          .grammar = StringOf(given, "grammar"),
          .thinking = BoolOf(given, "thinking"),
          .separate_thinking = BoolOf(given, "separateThinking"),
          .variables_json = StringOf(given, "variablesJson"),
          .add_generation_prompt = BoolOf(given, "addGenerationPrompt"),
          .continuation = ToContinuation(StringOf(given, "continueFinalMessage")),
          .now_ms = IntegerOf(given, "now")};
}

Napi::Array ToStrings(Napi::Env env, const std::vector<std::string>& texts) {
  return ToArray(env, texts, [&](const std::string& text) { return Napi::String::New(env, WellFormedUtf8(text)); });
}

Napi::Object ToTrigger(Napi::Env env, const GrammarTrigger& trigger) {
  auto object = Napi::Object::New(env);
  object.Set("kind", trigger.pattern.empty() ? "token" : "pattern");
  object.Set("pattern", trigger.pattern);
  object.Set("token", trigger.token);
  return object;
}

Napi::Value ToPrompt(Napi::Env env, const ChatPrompt& prompt) {
  auto grammar = Napi::Object::New(env);
  grammar.Set("grammar", prompt.grammar);
  grammar.Set("lazy", prompt.grammar_lazy);
  grammar.Set("triggers", ToArray(env, prompt.triggers, [&](const auto& trigger) { return ToTrigger(env, trigger); }));
  grammar.Set("prefix", prompt.grammar_prefix);

  auto result = Napi::Object::New(env);
  result.Set("parts", ToArray(env, prompt.parts, [&](const TextPart& part) {
               auto object = Napi::Object::New(env);
               object.Set("text", part.text);
               object.Set("trusted", part.trusted);
               return object;
             }));
  result.Set("grammar", grammar);
  result.Set("preservedTokens", ToInt32Array(env, prompt.preserved_tokens));
  result.Set("stops", ToStrings(env, prompt.stops));
  if (prompt.thinking) {
    auto thinking = Napi::Object::New(env);
    thinking.Set("start", prompt.thinking->start);
    thinking.Set("ends", ToStrings(env, prompt.thinking->ends));
    thinking.Set("prefix", prompt.thinking->prefix);
    result.Set("thinking", thinking);
  }
  result.Set("format", ToHandle(env, std::make_shared<ChatFormatHandle>(ChatFormatHandle{prompt.format})));
  result.Set("isPlain", prompt.is_plain);
  return result;
}

Napi::Value ToAnswer(Napi::Env env, const ChatAnswer& answer) {
  auto result = Napi::Object::New(env);
  result.Set("content", WellFormedUtf8(answer.content));
  result.Set("reasoning", WellFormedUtf8(answer.reasoning));
  result.Set("toolCalls", ToArray(env, answer.tool_calls, [&](const ToolCall& call) {
               auto object = Napi::Object::New(env);
               object.Set("id", WellFormedUtf8(call.id));
               object.Set("name", WellFormedUtf8(call.name));
               object.Set("arguments", WellFormedUtf8(call.arguments));
               return object;
             }));
  return result;
}

}  // namespace

Napi::Value ChatTemplateParse(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto model = OpenModel(info[0]);
    const std::string source = ToString(info[1]);
    using Parsed = std::shared_ptr<const ChatTemplate>;
    return Job<Parsed>::Start(info.Env(), {.work = [=] { return std::make_shared<const ChatTemplate>(model, source); },
                                           .convert = [](Napi::Env env, Parsed& parsed) -> Napi::Value {
                                             return ToHandle(
                                                 env, std::make_shared<ChatTemplateHandle>(ChatTemplateHandle{parsed}));
                                           },
                                           .stack_bytes = StackFor(0)});
  });
}

Napi::Value ChatTemplateInformation(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const ChatTemplateInfo& known = FromHandle<ChatTemplateHandle>(info[0])->chat_template->info();
    auto result = Napi::Object::New(info.Env());
    result.Set("source", known.source);
    result.Set("supportsSystemRole", known.supports_system_role);
    result.Set("supportsTools", known.supports_tools);
    result.Set("supportsToolCalls", known.supports_tool_calls);
    result.Set("supportsParallelToolCalls", known.supports_parallel_tool_calls);
    result.Set("supportsThinking", known.supports_thinking);
    result.Set("requiresTypedContent", known.requires_typed_content);
    return result;
  });
}

Napi::Value ChatPromptMake(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto chat_template = FromHandle<ChatTemplateHandle>(info[0])->chat_template;
    const ChatInput input = ToChatInput(info[1]);
    const size_t bytes =
        input.messages_json.size() + input.tools_json.size() + input.schema_json.size() + input.variables_json.size();
    return Job<ChatPrompt>::Start(info.Env(),
                                  {.work = [=] { return chat_template->Prompt(input); },
                                   .convert = [](Napi::Env env, ChatPrompt& prompt) { return ToPrompt(env, prompt); },
                                   .stack_bytes = StackFor(bytes)});
  });
}

Napi::Value ChatAnswerParse(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto format = FromHandle<ChatFormatHandle>(info[0])->format;
    const std::string text = ToString(info[1]);
    const bool is_partial = ToBool(info[2]);
    return Job<ChatAnswer>::Start(info.Env(),
                                  {.work = [=] { return format->Parse(text, is_partial); },
                                   .convert = [](Napi::Env env, ChatAnswer& answer) { return ToAnswer(env, answer); },
                                   .stack_bytes = StackFor(0)});
  });
}

}  // namespace llamero
