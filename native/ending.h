#pragma once

#include <napi.h>

#include <functional>

namespace llamero {

/// Something with threads that must be stopped before its JavaScript environment is gone: has a function called then.
///
/// Rules of teardown, cited below:
/// N1  An environment ends in one of two ways. When a worker ends, or the main thread has nothing left to do, Node runs
///     the cleanup hooks. After process.exit() and uncaught exceptions on the main thread it does not, but runs the static
///     destructors at once, whatever our threads compute with; only the event 'exit' comes before them.
/// N2  The function runs on the JavaScript thread, once, the latest Ending first, unless the Ending was destroyed
///     before. It may destroy its Ending.
/// N3  After the event 'exit' nothing new begins.
class Ending {
 public:
  /// Listens to the event 'exit' of `env`. Once per environment, before all others.
  static void WatchExit(Napi::Env env);

  /// Throws Failure: ERR_DISPOSED (N3).
  Ending(Napi::Env env, std::function<void()> end);
  ~Ending();
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;

 private:
  static void OnCleanup(void* data);
  static void OnExit(const Napi::CallbackInfo& info);
  void Disarm();

  Napi::Env env_;
  std::function<void()> end_;
  bool armed_ = false;
};

}  // namespace llamero
