#pragma once

#include <napi.h>

namespace llamero {

// Structured output: see lib/native-schema-types.ts.
Napi::Value ConvertSchema(const Napi::CallbackInfo& info);
Napi::Value CompileGrammar(const Napi::CallbackInfo& info);
Napi::Value GrammarAllows(const Napi::CallbackInfo& info);
Napi::Value GrammarStatistics(const Napi::CallbackInfo& info);

}  // namespace llamero
