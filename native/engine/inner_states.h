#pragma once

#include <llama.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "model.h"

namespace llamero {

/// What a trained head reads of the model besides its tokens: the inner state behind each token of a decode.
class InnerStates {
 public:
  InnerStates() = default;
  virtual ~InnerStates() = default;
  InnerStates(const InnerStates&) = delete;
  InnerStates& operator=(const InnerStates&) = delete;

  /// Has a head's own context hand out the state behind each row that it computes, and gives that of one.
  static void HandOutRows(llama_context* head);
  static const float* OfRow(llama_context* head, int row);

  /// Numbers of a state.
  virtual size_t width() const = 0;
  /// Whether the head reads a text's first token too, behind no state.
  virtual bool reads_first() const = 0;
  /// Has a context of the model hand out what is needed.
  virtual void Watch(llama_context* target) const = 0;
  /// Those of the last decode of `target`, by its tokens, for the head with the context `head`. Valid until the next decode
  /// of either; nullptr: they can't be had.
  virtual const float* Of(llama_context* target, llama_context* head, int32_t tokens) = 0;
};

/// The state before the last norm, as heads within a model's file read it (MTP).
std::unique_ptr<InnerStates> LastStates(const Model& model);
/// The states before three of the layers, from which the head makes one, at most `most` at once (EAGLE-3).
std::unique_ptr<InnerStates> LayerStates(const Model& model, const Model& head, int32_t most);

}  // namespace llamero
