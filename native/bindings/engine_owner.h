#pragma once

#include <memory>

#include "bindings/engine_handle.h"
#include "failure.h"
#include "model.h"

namespace llamero {

/// What a JavaScript engine owns, with the model that its requests are checked against. Closing lets go of the model: the
/// garbage collector, which knows nothing of the weights' size, may leave this object for ever.
struct EngineOwner {
  static constexpr napi_type_tag kTag{0x6c6c616d65726f01, 0x656e67696e650002};

  /// Throws Failure: ERR_DISPOSED after Close.
  const Model& open_model() const {
    if (!model) throw Failure("ERR_DISPOSED", "The model was closed; load it again to generate.");
    return *model;
  }

  std::shared_ptr<const Model> model;
  std::shared_ptr<EngineHandle> handle;
};

}  // namespace llamero
