#include "bindings/schema_bindings.h"

#include "bindings/model_bindings.h"
#include "bindings/values.h"
#include "engine/grammar_cache.h"
#include "grammar_check.h"
#include "job.h"
#include "schema.h"

namespace llamero {

Napi::Value ConvertSchema(const Napi::CallbackInfo& info) {
  return Guard(info.Env(),
               [&]() -> Napi::Value { return Napi::String::New(info.Env(), SchemaToGrammar(ToString(info[0]))); });
}

Napi::Value CompileGrammar(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto model = OpenModel(info[0]);
    const std::string grammar = ToString(info[1]);
    const auto written = ToTokens(info[2], *model);
    return Job<bool>::Start(info.Env(), {.work =
                                             [=] {
                                               model->grammars().Get(grammar, written);
                                               return true;
                                             },
                                         .convert = [](Napi::Env env, bool&) { return env.Undefined(); }});
  });
}

Napi::Value GrammarAllows(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto model = OpenModel(info[0]);
    const auto tokens = ToTokens(info[2], *model);
    const auto allowed = AllowedTokens(*model, ToString(info[1]), tokens, ToBool(info[3]));
    auto result = Napi::Uint8Array::New(info.Env(), allowed.size());
    std::copy(allowed.begin(), allowed.end(), result.Data());
    return result;
  });
}

Napi::Value GrammarStatistics(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const GrammarCache::Stats stats = OpenModel(info[0])->grammars().stats();
    auto result = Napi::Object::New(info.Env());
    result.Set("grammars", static_cast<double>(stats.grammars));
    result.Set("bytes", static_cast<double>(stats.bytes));
    result.Set("hits", static_cast<double>(stats.hits));
    result.Set("misses", static_cast<double>(stats.misses));
    return result;
  });
}

}  // namespace llamero
