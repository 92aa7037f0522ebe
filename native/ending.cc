#include "ending.h"

#include <algorithm>
#include <utility>

#include "environment.h"
#include "failure.h"

namespace llamero {

void Ending::WatchExit(Napi::Env env) {
  const Napi::Value process = env.Global().Get("process");
  if (!process.IsObject()) return;
  const Napi::Value once = process.As<Napi::Object>().Get("once");
  if (!once.IsFunction()) return;
  once.As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), Napi::Function::New(env, OnExit)});
}

Ending::Ending(Napi::Env env, std::function<void()> end) : env_(env), end_(std::move(end)) {
  Environment& environment = Environment::Of(env);
  if (environment.exiting) throw Failure("ERR_DISPOSED", "The process is ending; nothing new can begin.");  // N3
  environment.endings.push_back(this);
  napi_add_env_cleanup_hook(env, OnCleanup, this);
  armed_ = true;
}

Ending::~Ending() { Disarm(); }

void Ending::Disarm() {
  if (!std::exchange(armed_, false)) return;
  napi_remove_env_cleanup_hook(env_, OnCleanup, this);
  std::erase(Environment::Of(env_).endings, this);
}

void Ending::OnCleanup(void* data) {
  auto* self = static_cast<Ending*>(data);
  self->Disarm();
  const std::function<void()> end = std::move(self->end_);
  end();
}

void Ending::OnExit(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::Of(info.Env());
  environment.exiting = true;
  while (!environment.endings.empty()) OnCleanup(environment.endings.back());  // N2
}

}  // namespace llamero
