#include "wake.h"

#include "failure.h"

namespace llamero {
namespace {

/// REQUIRES: called inside a catch block.
void Surface(Napi::Env env) noexcept {  // W5
  try {
    try {
      throw;
    } catch (const Napi::Error& error) {
      napi_fatal_exception(env, error.Value());
    } catch (...) {
      napi_fatal_exception(env, ToJsError(env, CurrentFailure()));
    }
  } catch (...) {
    // Not even the error could be made: the environment is being terminated.
  }
}

}  // namespace

struct Waker::Shared {
  std::function<void(Napi::Env)> on_wake;
};

Waker::Waker(Napi::Env env, const char* name, std::function<void(Napi::Env)> on_wake)
    : env_(env), shared_(std::make_unique<Shared>(Shared{std::move(on_wake)}).release()) {
  const auto call = [](napi_env raw, napi_value, void* context, void*) {
    auto* shared = static_cast<Shared*>(context);
    if (raw == nullptr || !shared->on_wake) return;
    const Napi::HandleScope scope(raw);
    const auto on_wake = shared->on_wake;  // the call may close the waker
    try {
      on_wake(raw);
    } catch (...) {
      Surface(raw);
    }
  };
  const auto finalize = [](napi_env, void* data, void*) { std::unique_ptr<Shared>(static_cast<Shared*>(data)); };
  const napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, name), 0, 1,
                                                             shared_, finalize, shared_, call, &function_);
  if (status != napi_ok) {
    std::unique_ptr<Shared> unused(shared_);
    throw std::runtime_error("Node refused a thread-safe function.");
  }
}

Waker::~Waker() { Close(); }

void Waker::Wake() {
  const std::lock_guard lock(mutex_);
  if (function_ == nullptr) return;
  if (napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking) == napi_closing)
    function_ = nullptr;  // W3
}

void Waker::Close() {
  const std::lock_guard lock(mutex_);
  if (function_ == nullptr) return;
  shared_->on_wake = nullptr;  // W4
  napi_release_threadsafe_function(function_, napi_tsfn_abort);
  function_ = nullptr;
}

void Waker::KeepAlive(bool alive) {
  const std::lock_guard lock(mutex_);
  if (function_ == nullptr || alive == keeps_alive_) return;
  keeps_alive_ = alive;
  if (alive) {
    napi_ref_threadsafe_function(env_, function_);
  } else {
    napi_unref_threadsafe_function(env_, function_);
  }
}

}  // namespace llamero
