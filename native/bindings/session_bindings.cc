#include "bindings/session_bindings.h"

#include <span>

#include "bindings/adapter_bindings.h"
#include "bindings/engine_owner.h"
#include "bindings/values.h"
#include "engine/media_run.h"
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

/// Bytes that JavaScript owns from now on. A state may have hundreds of MB: copying it would hold up the event loop.
Napi::Value ToBytes(Napi::Env env, std::vector<uint8_t> bytes) {
  auto owned = std::make_unique<std::vector<uint8_t>>(std::move(bytes));
  auto buffer = Napi::Buffer<uint8_t>::NewOrCopy(
      env, owned->data(), owned->size(),
      [](Napi::Env, uint8_t*, std::vector<uint8_t>* data) { std::unique_ptr<std::vector<uint8_t>>(data).reset(); },
      owned.get());
  // Not before: in a worker that is being terminated no buffer is made.
  [[maybe_unused]] const auto* handed_over = owned.release();
  return buffer;
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

Napi::Value CacheDrop(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value { return OnCache(info, [](KvCache& cache) { cache.DropLoose(); }); });
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
          result.Set("tokens", ToInt32Array(env, saved->tokens));
          result.Set("state", ToBytes(env, std::move(saved->state)));
          return result;
        });
  });
}

Napi::Value SessionRestore(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto owner = FromHandle<EngineOwner>(info[0]);
    const int64_t session = ToInteger(info[1]);
    const std::string root = ToCacheRoot(info[2], owner->open_model());
    const Napi::Object given = ToObject(info[3]);
    const Napi::Value state = given.Get("state");
    if (!state.IsTypedArray() || state.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
      throw Failure("ERR_INTERNAL", "A saved state is a Uint8Array.");
    }
    const auto bytes = state.As<Napi::Uint8Array>();
    const std::span<const uint8_t> view(bytes.Data(), bytes.ByteLength());
    // The contract says that nobody touches the bytes until the promise settles.
    const auto kept_alive = std::make_shared<Napi::ObjectReference>(Napi::Persistent(state.As<Napi::Object>()));
    const std::vector<llama_token> tokens = IntegersOf(given.Get("tokens"));
    for (const llama_token token : tokens) {
      if (!owner->open_model().IsToken(token) && !IsMedia(token))
        throw Failure("ERR_STATE_MISMATCH", "The saved session holds tokens that the model lacks.");
    }
    owner->handle->engine();  // throws when it is closed
    const std::shared_ptr<Engine> engine = owner->handle->engine_or_null();
    return Job<bool>::Start(info.Env(),
                            {.work =
                                 [=] {
                                   return engine->OnCache([=](KvCache& cache) {
                                     cache.Restore(session, root, tokens, view);
                                     return true;
                                   });
                                 },
                             .convert = [kept_alive](Napi::Env env, bool&) -> Napi::Value { return env.Undefined(); }});
  });
}

}  // namespace llamero
