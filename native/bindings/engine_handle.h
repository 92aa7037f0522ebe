#pragma once

#include <napi.h>

#include <memory>

#include "ending.h"
#include "engine/engine.h"
#include "wake.h"

namespace llamero {

/// An engine as one JavaScript environment holds it: the engine, the function that is told its news, and the waker
/// between the two.
///
/// Rules of threads and teardown, cited below:
/// H1  Lives on the JavaScript thread; the engine thread knows the waker alone.
/// H2  The engine is closed (its thread joined) before the waker, so no wake comes after.
/// H3  When the environment ends first, its Ending does what Close would have done. It was made after the waker, and the
///     latest runs first, so the waker is still whole then.
/// H4  The event loop stays alive while something runs, waits to run or was not told yet, not for parked or idle
///     engines.
/// H5  The last news are told before the promise of Close resolves.
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
  /// Tells the last news of a closed engine and lets go of everything. Idempotent.
  void Finish(Napi::Env env);

 private:
  void Detach();
  void Deliver(Napi::Env env);
  void Tell(Napi::Env env, const std::vector<News>& news);

  std::shared_ptr<Engine> engine_;
  Napi::FunctionReference on_news_;
  Waker waker_;
  Ending ending_;
};

}  // namespace llamero
