#pragma once

#include <napi.h>

namespace llamero {

Napi::Value CacheDrop(const Napi::CallbackInfo& info);
Napi::Value SessionTokens(const Napi::CallbackInfo& info);
Napi::Value SessionFork(const Napi::CallbackInfo& info);
Napi::Value SessionCut(const Napi::CallbackInfo& info);
Napi::Value SessionForget(const Napi::CallbackInfo& info);
Napi::Value SessionSave(const Napi::CallbackInfo& info);
Napi::Value SessionRestore(const Napi::CallbackInfo& info);

}  // namespace llamero
