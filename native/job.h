#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <optional>

#include "ending.h"
#include "failure.h"
#include "thread.h"
#include "wake.h"

namespace llamero {

/// One piece of work off the JavaScript thread that settles a promise: the only way a promise of ours is settled.
///
/// Rules of threads and teardown, cited below:
/// J1  `work` runs on a thread of its own and touches no JavaScript value; `convert` runs on the JavaScript thread.
/// J2  When the environment ends first (ending.h), `cancel` is called and the thread joined; the promise stays
///     unsettled.
/// J3  The job frees itself, after the thread has been joined.
template <typename Result>
class Job {
 public:
  struct Parts {
    std::function<Result()> work;
    std::function<Napi::Value(Napi::Env, Result&)> convert;
    std::function<void()> cancel = [] {};
    size_t stack_bytes = Thread::kDefaultStack;
  };

  static Napi::Promise Start(Napi::Env env, Parts parts) {
    auto job = std::unique_ptr<Job>(new Job(env, std::move(parts)));
    const Napi::Promise promise = job->deferred_.Promise();
    Job* running = job.release();  // J3
    try {
      running->thread_ = std::make_unique<Thread>([running] { running->Run(); }, running->parts_.stack_bytes);
    } catch (...) {
      running->failure_ = CurrentFailure();
      running->waker_.Wake();
    }
    return promise;
  }

 private:
  Job(Napi::Env env, Parts parts)
      : parts_(std::move(parts)),
        deferred_(Napi::Promise::Deferred::New(env)),
        waker_(env, "llamero.job", [this](Napi::Env on) { Settle(on); }),
        ending_(env, [this] { End(); }) {}

  void Run() noexcept {
    try {
      result_.emplace(parts_.work());
    } catch (...) {
      failure_ = CurrentFailure();
    }
    waker_.Wake();
  }

  void Settle(Napi::Env env) {
    const std::unique_ptr<Job> self(this);
    if (thread_) thread_->Join();
    if (failure_) {
      deferred_.Reject(ToJsError(env, *failure_));
      return;
    }
    try {
      deferred_.Resolve(parts_.convert(env, *result_));
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    } catch (...) {
      deferred_.Reject(ToJsError(env, CurrentFailure()));
    }
  }

  void End() {  // J2
    const std::unique_ptr<Job> self(this);
    parts_.cancel();
    if (thread_) thread_->Join();
  }

  Parts parts_;
  Napi::Promise::Deferred deferred_;
  std::optional<Result> result_;
  std::optional<Failure> failure_;
  Waker waker_;
  Ending ending_;
  std::unique_ptr<Thread> thread_;
};

}  // namespace llamero
