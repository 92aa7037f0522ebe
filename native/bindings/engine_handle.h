#pragma once

#include <napi.h>

#include <memory>

#include "engine/engine.h"
#include "wake.h"

namespace llamero {

/// An engine as one JavaScript environment holds it: the engine, the function that is told its news, and the waker
/// between the two.
///
/// Rules of threads and teardown, cited below:
/// H1  Lives on the JavaScript thread; the engine thread knows the waker alone.
/// H2  The engine is closed (its thread joined) before the waker, so no wake comes after.
/// H3  When the environment ends first, the cleanup hook does what Close would have done. It was added after the waker was
///     made, and hooks run in reverse order, so the waker is still whole then.
/// H4  The event loop stays alive while something runs or waits to run, not for parked or idle engines.
class EngineHandle : public std::enable_shared_from_this<EngineHandle> {
 public:
  static constexpr napi_type_tag kTag{0x6c6c616d65726f01, 0x656e67696e650001};

  EngineHandle(Napi::Env env, std::unique_ptr<Engine> engine, Napi::FunctionReference on_news);
  ~EngineHandle();
  EngineHandle(const EngineHandle&) = delete;
  EngineHandle& operator=(const EngineHandle&) = delete;

  /// Throws Failure: ERR_DISPOSED after Close.
  Engine& engine();
  /// For what must work in every state.
  std::shared_ptr<Engine> engine_or_null() const { return engine_; }

  /// To be called after anything that gives the engine work.
  void KeepAlive() { waker_.KeepAlive(true); }
  /// Joins the engine and detaches from the environment. Idempotent.
  void Detach();

 private:
  static void OnEnvironmentEnd(void* data);
  void Deliver(Napi::Env env);

  Napi::Env env_;
  std::shared_ptr<Engine> engine_;
  Napi::FunctionReference on_news_;
  Waker waker_;
};

}  // namespace llamero
