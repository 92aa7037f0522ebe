#pragma once

#include <memory>

#include "bindings/engine_handle.h"
#include "model.h"

namespace llamero {

/// What a JavaScript engine owns, with the model that its requests are checked against.
struct EngineOwner {
  static constexpr napi_type_tag kTag{0x6c6c616d65726f01, 0x656e67696e650002};
  std::shared_ptr<const Model> model;
  std::shared_ptr<EngineHandle> handle;
};

}  // namespace llamero
