#include "engine/inner_states.h"

#include <llama-ext.h>

#include <algorithm>
#include <cstdint>

namespace llamero {
namespace {

class LastStatesOfModel : public InnerStates {
 public:
  explicit LastStatesOfModel(const Model& model) : width_(static_cast<size_t>(llama_model_n_embd_out(model.get()))) {}

  size_t width() const override { return width_; }
  bool reads_first() const override { return true; }
  void Watch(llama_context* target) const override { llama_set_embeddings_nextn(target, true, false); }
  const float* Of(llama_context* target, llama_context*, int32_t) override {
    return llama_get_embeddings_nextn(target);
  }

 private:
  size_t width_;
};

class StatesOfLayers : public InnerStates {
 public:
  StatesOfLayers(const Model& model, const Model& head, int32_t most)
      : model_width_(static_cast<size_t>(llama_model_n_embd(model.get()))),
        width_(static_cast<size_t>(llama_model_n_embd(head.get()))),
        most_(most) {
    const int32_t* layers = llama_model_target_layer_ids(head.get());
    layers_.assign(layers, layers + llama_model_target_layer_ids_n(head.get()));
  }

  size_t width() const override { return width_; }
  bool reads_first() const override { return false; }
  void Watch(llama_context* target) const override {
    for (const int32_t layer : layers_) llama_set_embeddings_layer_inp(target, static_cast<uint32_t>(layer), true);
  }

  const float* Of(llama_context* target, llama_context* head, int32_t tokens) override {
    const size_t row = layers_.size() * model_width_;
    features_.resize(static_cast<size_t>(tokens) * row);
    for (size_t k = 0; k < layers_.size(); k++) {
      const float* states = llama_get_embeddings_layer_inp(target, static_cast<uint32_t>(layers_[k]));
      if (states == nullptr) return nullptr;
      for (int32_t i = 0; i < tokens; i++) {
        const size_t at = static_cast<size_t>(i);
        std::copy_n(states + at * model_width_, model_width_, features_.data() + at * row + k * model_width_);
      }
    }
    states_.resize(static_cast<size_t>(tokens) * width_);
    for (int32_t begin = 0; begin < tokens; begin += most_) {
      const int32_t count = std::min(most_, tokens - begin);
      llama_batch batch{};
      batch.n_tokens = count;
      batch.embd = features_.data() + static_cast<size_t>(begin) * row;
      if (llama_encode(head, batch) != 0) return nullptr;
      const float* states = llama_get_embeddings_nextn(head);
      if (states == nullptr) return nullptr;
      std::copy_n(states, static_cast<size_t>(count) * width_, states_.data() + static_cast<size_t>(begin) * width_);
    }
    return states_.data();
  }

 private:
  std::vector<int32_t> layers_;
  size_t model_width_;
  size_t width_;
  int32_t most_;
  std::vector<float> features_;
  std::vector<float> states_;
};

}  // namespace

void InnerStates::HandOutRows(llama_context* head) { llama_set_embeddings_nextn(head, true, true); }

const float* InnerStates::OfRow(llama_context* head, int row) { return llama_get_embeddings_nextn_ith(head, row); }

std::unique_ptr<InnerStates> LastStates(const Model& model) { return std::make_unique<LastStatesOfModel>(model); }

std::unique_ptr<InnerStates> LayerStates(const Model& model, const Model& head, int32_t most) {
  return std::make_unique<StatesOfLayers>(model, head, most);
}

}  // namespace llamero
