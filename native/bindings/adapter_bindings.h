#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "engine/adapter_set.h"

namespace llamero {

/// What a JavaScript adapter owns: empty after close, while requests may still share it.
struct AdapterHandle {
  static constexpr napi_type_tag kTag{0x6c6c616d65726f01, 0x6164617074657201};
  std::shared_ptr<const Adapter> adapter;
};

/// The adapters of a request. Throws Failure: ERR_DISPOSED, ERR_OPTION_INVALID for those of another model.
std::shared_ptr<const AdapterSet> ToAdapterSet(const Napi::Value& value, const Model& model);
/// The root of a cache key and a set of adapters, under which prefixes are shared. Throws as ToAdapterSet does.
std::string ToCacheRoot(const Napi::Value& value, const Model& model);

Napi::Value AdapterLoad(const Napi::CallbackInfo& info);
Napi::Value ControlVectorCreate(const Napi::CallbackInfo& info);
Napi::Value AdapterClose(const Napi::CallbackInfo& info);

}  // namespace llamero
