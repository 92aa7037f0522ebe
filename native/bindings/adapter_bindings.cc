#include "bindings/adapter_bindings.h"

#include "bindings/engine_owner.h"
#include "bindings/model_bindings.h"
#include "bindings/values.h"
#include "job.h"

namespace llamero {
namespace {

using Made = std::shared_ptr<const Adapter>;

Napi::Value ToJs(Napi::Env env, Made& adapter) {
  return ToHandle(env, std::make_shared<AdapterHandle>(AdapterHandle{std::move(adapter)}));
}

}  // namespace

std::shared_ptr<const AdapterSet> ToAdapterSet(const Napi::Value& value, const Model& model) {
  return std::make_shared<AdapterSet>(ArrayOf(value, [&](const Napi::Value& element) {
    const Napi::Object entry = ToObject(element);
    AdapterSet::Entry read{FromHandle<AdapterHandle>(entry.Get("adapter"))->adapter,
                           static_cast<float>(NumberOf(entry, "scale"))};
    if (!read.adapter) throw Failure("ERR_DISPOSED", "The adapter was closed; load it again.");
    if (!read.adapter->IsFor(model)) throw Failure("ERR_OPTION_INVALID", "The adapter was loaded for another model.");
    return read;
  }));
}

std::string ToCacheRoot(const Napi::Value& value, const Model& model) {
  const Napi::Object given = ToObject(value);
  return ToAdapterSet(given.Get("adapters"), model)->Root(StringOf(given, "cacheKey"));
}

Napi::Value AdapterLoad(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto model = OpenModel(info[0]);
    const std::string path = ToString(info[1]);
    const std::string digest = ToString(info[2]);
    return Job<Made>::Start(info.Env(),
                            {.work = [=] { return Adapter::LoadLora(model, path, digest); }, .convert = ToJs});
  });
}

Napi::Value ControlVectorCreate(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    Made adapter = Adapter::FromDirections(OpenModel(info[0]), FloatsOf(info[1]), ToString(info[2]));
    return ToJs(info.Env(), adapter);
  });
}

/// Off the JavaScript thread, since freeing waits for another adapter that is being loaded.
Napi::Value AdapterClose(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto held = std::make_shared<Made>(std::move(FromHandle<AdapterHandle>(info[0])->adapter));
    const auto engine = info[1].IsUndefined() ? nullptr : FromHandle<EngineOwner>(info[1])->handle->engine_or_null();
    return Job<bool>::Start(info.Env(),
                            {.work =
                                 [held, engine] {
                                   held->reset();
                                   if (engine) engine->LetGoOfAdapters();
                                   return true;
                                 },
                             .convert = [](Napi::Env env, bool&) -> Napi::Value { return env.Undefined(); }});
  });
}

}  // namespace llamero
