#pragma once

#include <napi.h>

namespace llamero {

/// What belongs to one JavaScript environment (the main thread or a worker). Nothing napi_* lives in a global.
struct Environment {
  /// The LlameroError class of this environment.
  Napi::FunctionReference error_class;

  static Environment& Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

}  // namespace llamero
