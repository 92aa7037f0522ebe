#pragma once

#include <napi.h>

namespace llamero {

// The engine's pure functions, for property tests from JavaScript.
Napi::Value PlanOneStep(const Napi::CallbackInfo& info);
Napi::Value LearnPrefillPace(const Napi::CallbackInfo& info);
Napi::Value PrefillBudgetOf(const Napi::CallbackInfo& info);
Napi::Value BriefBudgetOf(const Napi::CallbackInfo& info);
Napi::Value BriefSizeOf(const Napi::CallbackInfo& info);
Napi::Value SliceMsOf(const Napi::CallbackInfo& info);
Napi::Value PackOneStep(const Napi::CallbackInfo& info);
Napi::Value NextThreadState(const Napi::CallbackInfo& info);
Napi::Value AssembleText(const Napi::CallbackInfo& info);

}  // namespace llamero
