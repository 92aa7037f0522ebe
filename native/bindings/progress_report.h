#pragma once

#include <napi.h>

#include <atomic>

#include "wake.h"

namespace llamero {

/// Tells JavaScript how far a job is, while the job's thread goes on.
class ProgressReport {
 public:
  ProgressReport(Napi::Env env, const char* name, const Napi::Function& callback)
      : callback_(Napi::Persistent(callback)),
        waker_(env, name, [this](Napi::Env on) { callback_.Call({Napi::Number::New(on, fraction_.load())}); }) {
    waker_.KeepAlive(false);
  }

  /// Whole percents only: llama.cpp reports every tensor.
  void Set(float fraction) {
    if (fraction < 1 && fraction - fraction_.load() < 0.01f) return;
    fraction_ = fraction;
    waker_.Wake();
  }
  void Close() { waker_.Close(); }

 private:
  std::atomic<float> fraction_ = 0;
  Napi::FunctionReference callback_;
  Waker waker_;
};

}  // namespace llamero
