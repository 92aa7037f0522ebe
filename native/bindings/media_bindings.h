#pragma once

#include <napi.h>

#include <memory>
#include <span>
#include <vector>

#include "media/projector.h"
#include "model.h"

namespace llamero {

/// What a JavaScript projector owns: empty after close, while something may still be encoded.
struct ProjectorHandle {
  static constexpr napi_type_tag kTag{0x6c6c616d65726f01, 0x70726f6a65630001};
  std::shared_ptr<Projector> projector;
};

/// What a JavaScript medium owns: empty once it was released, while requests may still compute with it.
struct MediumHandle {
  static constexpr napi_type_tag kTag{0x6c6c616d65726f01, 0x6d656469756d0001};
  std::shared_ptr<const Medium> medium;
  std::shared_ptr<const Projector> projector;
};

/// The media that a request's tokens hold, in order, each of them checked to stand where it is said to. Throws Failure:
/// ERR_INTERNAL, ERR_OPTION_INVALID for those of another model.
std::vector<Medium::Span> ToMedia(const Napi::Value& value, std::span<const llama_token> tokens, const Model& model);

Napi::Value ProjectorLoad(const Napi::CallbackInfo& info);
Napi::Value ProjectorInfo(const Napi::CallbackInfo& info);
Napi::Value ProjectorStatistics(const Napi::CallbackInfo& info);
Napi::Value ProjectorClose(const Napi::CallbackInfo& info);
Napi::Value MediumEncode(const Napi::CallbackInfo& info);
Napi::Value MediumTokens(const Napi::CallbackInfo& info);
Napi::Value MediumRelease(const Napi::CallbackInfo& info);

}  // namespace llamero
