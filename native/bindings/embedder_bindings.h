#pragma once

#include <napi.h>

namespace llamero {

Napi::Value TokenizeTexts(const Napi::CallbackInfo& info);

Napi::Value EmbedderCreate(const Napi::CallbackInfo& info);
Napi::Value EmbedderRun(const Napi::CallbackInfo& info);
Napi::Value EmbedderStatistics(const Napi::CallbackInfo& info);
Napi::Value EmbedderClose(const Napi::CallbackInfo& info);

}  // namespace llamero
