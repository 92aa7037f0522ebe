#include "bindings/model_bindings.h"

#include "bindings/progress_report.h"
#include "bindings/values.h"
#include "job.h"
#include "tokenizer.h"

namespace llamero {
namespace {

std::string MetadataText(int32_t (*read)(const llama_model*, int32_t, char*, size_t), const llama_model* model, int i) {
  char probe[1];
  const int32_t length = read(model, i, probe, sizeof probe);
  if (length < 0) return "";
  std::string text(length + 1, '\0');
  read(model, i, text.data(), text.size());
  text.resize(length);
  return WellFormedUtf8(text);
}

std::string MetadataValue(const llama_model* model, const char* key) {
  char buffer[256];
  const int32_t length = llama_model_meta_val_str(model, key, buffer, sizeof buffer);
  return length < 0 ? "" : std::string(buffer, std::min<size_t>(length, sizeof buffer - 1));
}

std::string Description(const llama_model* model) {
  char buffer[256];
  llama_model_desc(model, buffer, sizeof buffer);
  return buffer;
}

Napi::Object Metadata(Napi::Env env, const llama_model* model) {
  auto metadata = Napi::Object::New(env);
  for (int i = 0; i < llama_model_meta_count(model); i++) {
    metadata.Set(MetadataText(llama_model_meta_key_by_index, model, i),
                 MetadataText(llama_model_meta_val_str_by_index, model, i));
  }
  return metadata;
}

}  // namespace

TextPart ToTextPart(const Napi::Value& value) {
  const Napi::Object part = ToObject(value);
  return {StringOf(part, "text"), BoolOf(part, "trusted")};
}

MetadataOverrides ToMetadataOverrides(const Napi::Value& value) {
  return ArrayOf(value, [](const Napi::Value& element) {
    const Napi::Object given = ToObject(element);
    const std::string key = StringOf(given, "key");
    const Napi::Value wanted = given.Get("value");
    const std::string text = wanted.IsString() ? ToString(wanted) : "";
    constexpr size_t kMostBytes = sizeof(llama_model_kv_override::key) - 1;
    if (key.empty() || key.size() > kMostBytes || text.size() > kMostBytes) {
      throw Failure("ERR_INTERNAL", "The addon was called with metadata that is longer than llama.cpp takes.");
    }
    return wanted.IsString() ? TextOverride(key, text) : FloatOverride(key, ToNumber(wanted));
  });
}

std::shared_ptr<const Model> OpenModel(const Napi::Value& handle) {
  auto model = FromHandle<ModelHandle>(handle)->model;
  if (!model) throw Failure("ERR_DISPOSED", "The model was closed; load it again.");
  return model;
}

void RequireToken(int64_t id, const Model& model) {
  if (!model.IsToken(id)) throw Failure("ERR_TOKEN_INVALID", std::to_string(id) + " is no token of this model.");
}

std::vector<llama_token> ToTokens(const Napi::Value& value, const Model& model) {
  std::vector<llama_token> tokens = IntegersOf(value);
  for (const llama_token token : tokens) RequireToken(token, model);
  return tokens;
}

Napi::Value CreateCancelFlag(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value { return ToHandle(info.Env(), std::make_shared<CancelFlag>()); });
}

Napi::Value Cancel(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    FromHandle<CancelFlag>(info[0])->raised = true;
    return info.Env().Undefined();
  });
}

Napi::Value ModelLoad(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Object given = ToObject(info[0]);
    if (!info[1].IsFunction()) throw Failure("ERR_INTERNAL", "modelLoad needs a progress function.");
    ModelOptions options{.path = StringOf(given, "path"),
                         .gpu_layers = static_cast<int>(IntegerOf(given, "gpuLayers")),
                         .memory_map = BoolOf(given, "memoryMap"),
                         .vocabulary_only = BoolOf(given, "vocabularyOnly"),
                         .check_tensors = BoolOf(given, "checkTensors"),
                         .trained_head = BoolOf(given, "mtp"),
                         .metadata_overrides = ToMetadataOverrides(given.Get("metadataOverrides"))};
    const auto flag = FromHandle<CancelFlag>(given.Get("cancelFlag"));
    const auto report = std::make_shared<ProgressReport>(info.Env(), "llamero.load", info[1].As<Napi::Function>());
    using Loaded = std::shared_ptr<const Model>;
    return Job<Loaded>::Start(info.Env(),
                              {.work =
                                   [options, flag, report] {
                                     return Model::Load(
                                         options, [&](float fraction) { report->Set(fraction); }, flag->raised);
                                   },
                               .convert = [report](Napi::Env env, Loaded& model) -> Napi::Value {
                                 report->Close();
                                 return ToHandle(env, std::make_shared<ModelHandle>(ModelHandle{std::move(model)}));
                               },
                               .cancel = [flag] { flag->raised = true; }});
  });
}

Napi::Value ModelInfo(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto owner = OpenModel(info[0]);
    const llama_model* model = owner->get();
    const llama_vocab* vocab = owner->vocab();
    const char* chat_template = llama_model_chat_template(model, nullptr);
    auto result = Napi::Object::New(info.Env());
    result.Set("description", Description(model));
    result.Set("architecture", MetadataValue(model, "general.architecture"));
    result.Set("parameters", static_cast<double>(llama_model_n_params(model)));
    result.Set("sizeBytes", static_cast<double>(llama_model_size(model)));
    result.Set("vocabularySize", owner->vocabulary_size());
    result.Set("trainedContextSize", llama_model_n_ctx_train(model));
    result.Set("embeddingSize", llama_model_n_embd_out(model));
    result.Set("layers", llama_model_n_layer(model));
    result.Set("gpuLayers", owner->gpu_layers());
    result.Set("hasEncoder", llama_model_has_encoder(model));
    result.Set("hasDecoder", llama_model_has_decoder(model));
    result.Set("isRecurrent", llama_model_is_recurrent(model));
    result.Set("isHybrid", llama_model_is_hybrid(model));
    result.Set("slidingWindow", llama_model_n_swa(model));
    result.Set("bosToken", llama_vocab_bos(vocab));
    result.Set("eosToken", llama_vocab_eos(vocab));
    result.Set("fimPrefixToken", llama_vocab_fim_pre(vocab));
    result.Set("fimSuffixToken", llama_vocab_fim_suf(vocab));
    result.Set("fimMiddleToken", llama_vocab_fim_mid(vocab));
    result.Set("sepToken", llama_vocab_sep(vocab));
    result.Set("addsBos", llama_vocab_get_add_bos(vocab));
    result.Set("addsEos", llama_vocab_get_add_eos(vocab));
    result.Set("addsSep", llama_vocab_get_add_sep(vocab));
    result.Set("chatTemplate", chat_template == nullptr ? "" : WellFormedUtf8(chat_template));
    result.Set("metadata", Metadata(info.Env(), model));
    return result;
  });
}

Napi::Value ModelClose(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    FromHandle<ModelHandle>(info[0])->model.reset();
    return info.Env().Undefined();
  });
}

Napi::Value TokenizeText(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto model = OpenModel(info[0]);
    const auto parts = ArrayOf(info[1], ToTextPart);
    const bool add_special = BoolOf(ToObject(info[2]), "addSpecial");
    size_t bytes = 0;
    for (const TextPart& part : parts) bytes += part.text.size();
    return Job<std::vector<llama_token>>::Start(
        info.Env(), {.work = [=] { return Tokenize(*model, parts, add_special); },
                     .convert = [](Napi::Env env, std::vector<llama_token>& tokens) -> Napi::Value {
                       return ToInt32Array(env, tokens);
                     },
                     .stack_bytes = StackForText(bytes)});
  });
}

Napi::Value DetokenizeTokens(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto model = OpenModel(info[0]);
    const auto tokens = ToTokens(info[1], *model);
    const Napi::Object options = ToObject(info[2]);
    const bool remove_special = BoolOf(options, "removeSpecial");
    const bool render_special = BoolOf(options, "renderSpecial");
    return Job<std::string>::Start(
        info.Env(),
        {.work = [=] { return Detokenize(*model, tokens, remove_special, render_special); },
         .convert = [](Napi::Env env, std::string& text) -> Napi::Value { return Napi::String::New(env, text); }});
  });
}

Napi::Value Piece(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto model = OpenModel(info[0]);
    const int64_t token = ToInteger(info[1]);
    RequireToken(token, *model);
    const std::string& piece = model->Piece(static_cast<llama_token>(token));
    auto bytes = Napi::Uint8Array::New(info.Env(), piece.size());
    std::copy(piece.begin(), piece.end(), bytes.Data());
    return bytes;
  });
}

}  // namespace llamero
