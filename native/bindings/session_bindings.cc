#include "bindings/session_bindings.h"

#include "bindings/engine_owner.h"
#include "bindings/values.h"
#include "job.h"

namespace llamero {
namespace {

/// Runs `use` on the engine thread and settles a promise with what `convert` makes of its result.
template <typename Use, typename Convert>
Napi::Value OnCache(const Napi::CallbackInfo& info, Use use, Convert convert) {
  using Result = decltype(use(std::declval<KvCache&>()));
  const auto handle = FromHandle<EngineOwner>(info[0])->handle;
  handle->engine();  // throws when it is closed
  const std::shared_ptr<Engine> engine = handle->engine_or_null();
  return Job<Result>::Start(info.Env(), {.work = [engine, use] { return engine->OnCache(use); }, .convert = convert});
}

/// The same for what has no result.
template <typename Use>
Napi::Value OnCache(const Napi::CallbackInfo& info, Use use) {
  return OnCache(
      info,
      [use](KvCache& cache) {
        use(cache);
        return true;
      },
      [](Napi::Env env, bool&) -> Napi::Value { return env.Undefined(); });
}

}  // namespace

Napi::Value SessionTokens(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const int64_t session = ToInteger(info[1]);
    return OnCache(
        info, [=](KvCache& cache) { return cache.KeptTokens(session); },
        [](Napi::Env env, int64_t& tokens) -> Napi::Value {
          return Napi::Number::New(env, static_cast<double>(tokens));
        });
  });
}

Napi::Value SessionFork(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const int64_t session = ToInteger(info[1]);
    const int64_t fork = ToInteger(info[2]);
    return OnCache(
        info, [=](KvCache& cache) { return cache.Fork(session, fork); },
        [](Napi::Env env, bool& forked) -> Napi::Value { return Napi::Boolean::New(env, forked); });
  });
}

Napi::Value SessionCut(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const int64_t session = ToInteger(info[1]);
    const int64_t tokens = std::max<int64_t>(0, ToInteger(info[2]));
    return OnCache(info, [=](KvCache& cache) { cache.Cut(session, tokens); });
  });
}

Napi::Value SessionForget(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const int64_t session = ToInteger(info[1]);
    return OnCache(info, [=](KvCache& cache) { cache.Forget(session); });
  });
}

Napi::Value SessionSave(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const int64_t session = ToInteger(info[1]);
    using Saved = std::optional<KvCache::Snapshot>;
    return OnCache(
        info, [=](KvCache& cache) { return cache.Save(session); },
        [](Napi::Env env, Saved& saved) -> Napi::Value {
          if (!saved) return env.Undefined();
          auto result = Napi::Object::New(env);
          auto state = Napi::Uint8Array::New(env, saved->state.size());
          std::copy(saved->state.begin(), saved->state.end(), state.Data());
          result.Set("tokens", ToInt32Array(env, saved->tokens));
          result.Set("state", state);
          return result;
        });
  });
}

Napi::Value SessionRestore(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto owner = FromHandle<EngineOwner>(info[0]);
    const int64_t session = ToInteger(info[1]);
    const std::string root = ToString(info[2]);
    const Napi::Object given = ToObject(info[3]);
    const auto snapshot = std::make_shared<KvCache::Snapshot>();
    snapshot->tokens = IntegersOf(given.Get("tokens"));
    snapshot->state = CopyOf<uint8_t, Napi::Uint8Array>(given.Get("state"), napi_uint8_array);
    for (const llama_token token : snapshot->tokens) {
      if (!owner->model->IsToken(token))
        throw Failure("ERR_STATE_MISMATCH", "The saved session holds tokens that the model lacks.");
    }
    return OnCache(info, [=](KvCache& cache) { cache.Restore(session, root, *snapshot); });
  });
}

}  // namespace llamero
