#pragma once

#include <napi.h>

namespace llamero {

Napi::Value FindNgram(const Napi::CallbackInfo& info);
Napi::Value LearnOneMatch(const Napi::CallbackInfo& info);
Napi::Value LearnOneLead(const Napi::CallbackInfo& info);
Napi::Value FadeLeads(const Napi::CallbackInfo& info);
Napi::Value ChanceOfLead(const Napi::CallbackInfo& info);
Napi::Value LearnOneStep(const Napi::CallbackInfo& info);
Napi::Value LengthOfDraft(const Napi::CallbackInfo& info);

}  // namespace llamero
