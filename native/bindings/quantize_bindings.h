#pragma once

#include <napi.h>

namespace llamero {

Napi::Value QuantizeFile(const Napi::CallbackInfo& info);

}  // namespace llamero
