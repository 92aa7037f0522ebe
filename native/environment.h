#pragma once

#include <napi.h>

#include <vector>

namespace llamero {

class Ending;

/// What belongs to one JavaScript environment (the main thread or a worker). Nothing napi_* lives in a global.
struct Environment {
  /// The LlameroError class of this environment.
  Napi::FunctionReference error_class;
  /// What must be stopped before it ends, in the order of its creation; see ending.h.
  std::vector<Ending*> endings;
  bool exiting = false;

  static Environment& Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

}  // namespace llamero
