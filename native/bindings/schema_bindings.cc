#include "bindings/schema_bindings.h"

#include "bindings/values.h"
#include "schema.h"

namespace llamero {

Napi::Value ConvertSchema(const Napi::CallbackInfo& info) {
  return Guard(info.Env(),
               [&]() -> Napi::Value { return Napi::String::New(info.Env(), SchemaToGrammar(ToString(info[0]))); });
}

}  // namespace llamero
