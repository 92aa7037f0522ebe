#pragma once

#include <napi.h>

#include <functional>
#include <mutex>

namespace llamero {

/// Lets another thread have one function run on the JavaScript thread.
///
/// Rules of threads and teardown, cited below:
/// W1  Created, referenced, unreferenced and closed on the JavaScript thread only.
/// W2  `Wake` may come from any thread at any time, also after the environment has ended: then it does nothing.
/// W3  Once Node has answered "closing", the thread-safe function is never touched again.
/// W4  The function is not called any more once `Close` has returned.
/// W5  What the function throws becomes an uncaught exception of its environment: a C++ exception must not pass through
///     Node. While the environment is being terminated every call into JavaScript throws, and that is dropped.
class Waker {
 public:
  Waker(Napi::Env env, const char* name, std::function<void(Napi::Env)> on_wake);
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  void Wake();
  void Close();

  /// Whether a pending wake keeps the event loop alive; true at birth.
  void KeepAlive(bool alive);

 private:
  struct Shared;

  Napi::Env env_;
  Shared* shared_;  // owned by the thread-safe function: freed in its finalizer
  std::mutex mutex_;
  napi_threadsafe_function function_ = nullptr;
  bool keeps_alive_ = true;
};

}  // namespace llamero
