#pragma once

#include <llama-cpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model.h"

namespace llamero {

/// What changes a model's answers without changing its weights: a LoRA adapter, or a control vector (directions that
/// are added to what leaves each layer). Made once and immutable; requests share ownership, and it shares ownership of
/// its model.
///
/// llama.cpp keeps a list of a model's LoRA adapters, which loading and freeing one change: so that happens one at a
/// time for each model. Contexts don't read the list (native/patches/lora-graph-size.patch).
class Adapter {
 public:
  /// REQUIRES: a file that lib/gguf has judged for this model. Throws Failure: ERR_MODEL_REJECTED with llama.cpp's
  /// reason.
  static std::shared_ptr<const Adapter> LoadLora(std::shared_ptr<const Model> model, const std::string& path,
                                                 std::string digest);
  /// `directions`: as many numbers as the embedding has for each layer after the first, in order. Throws Failure:
  /// ERR_INTERNAL if they are another number.
  static std::shared_ptr<const Adapter> FromDirections(std::shared_ptr<const Model> model,
                                                       std::vector<float> directions, std::string digest);
  ~Adapter();
  Adapter(const Adapter&) = delete;
  Adapter& operator=(const Adapter&) = delete;

  /// Adapters with the same one compute the same, in every process.
  const std::string& digest() const { return digest_; }
  bool IsFor(const Model& model) const { return model_.get() == &model; }
  /// Null for a control vector.
  llama_adapter_lora* lora() const { return lora_.get(); }
  /// Empty for a LoRA adapter.
  const std::vector<float>& directions() const { return directions_; }

 private:
  Adapter(std::shared_ptr<const Model> model, std::string digest);

  std::string digest_;
  std::shared_ptr<const Model> model_;  // outlives what is made for it
  llama_adapter_lora_ptr lora_;
  std::vector<float> directions_;
};

}  // namespace llamero
