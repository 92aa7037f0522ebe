#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <vector>

#include "metadata_override.h"
#include "model.h"
#include "tokenizer.h"

namespace llamero {

/// A flag that JavaScript raises to stop a load.
struct CancelFlag {
  static constexpr napi_type_tag kTag{0x6c6c616d65726f01, 0x63616e63656c0001};
  std::atomic<bool> raised = false;
};

/// What a JavaScript Model owns: empty after close, while contexts may still share the weights.
struct ModelHandle {
  static constexpr napi_type_tag kTag{0x6c6c616d65726f01, 0x6d6f64656c000001};
  std::shared_ptr<const Model> model;
};

TextPart ToTextPart(const Napi::Value& value);

/// Metadata as `metadataOverrides` gives it: `{ key, value }`, the value a text or a float.
MetadataOverrides ToMetadataOverrides(const Napi::Value& value);

/// The open model behind a handle. Throws Failure: ERR_DISPOSED.
std::shared_ptr<const Model> OpenModel(const Napi::Value& handle);

/// Throws Failure: ERR_TOKEN_INVALID for an id that the model lacks: its tables would be read beyond their ends.
void RequireToken(int64_t id, const Model& model);
/// Ids that the model has. Throws Failure: ERR_TOKEN_INVALID.
std::vector<llama_token> ToTokens(const Napi::Value& value, const Model& model);

Napi::Value CreateCancelFlag(const Napi::CallbackInfo& info);
Napi::Value Cancel(const Napi::CallbackInfo& info);
Napi::Value ModelLoad(const Napi::CallbackInfo& info);
Napi::Value ModelInfo(const Napi::CallbackInfo& info);
Napi::Value ModelClose(const Napi::CallbackInfo& info);
Napi::Value TokenizeText(const Napi::CallbackInfo& info);
Napi::Value DetokenizeTokens(const Napi::CallbackInfo& info);
Napi::Value Piece(const Napi::CallbackInfo& info);

}  // namespace llamero
