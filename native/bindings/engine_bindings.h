#pragma once

#include <napi.h>

namespace llamero {

Napi::Value FreeMemoryNow(const Napi::CallbackInfo& info);
Napi::Value MemoryNeedOf(const Napi::CallbackInfo& info);
Napi::Value EngineCreate(const Napi::CallbackInfo& info);
Napi::Value EngineInfo(const Napi::CallbackInfo& info);
Napi::Value EngineSubmit(const Napi::CallbackInfo& info);
Napi::Value EngineCancel(const Napi::CallbackInfo& info);
Napi::Value EngineAcknowledge(const Napi::CallbackInfo& info);
Napi::Value EngineStatistics(const Napi::CallbackInfo& info);
Napi::Value EngineClose(const Napi::CallbackInfo& info);

}  // namespace llamero
