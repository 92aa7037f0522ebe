#include "adapter.h"

#include <mutex>
#include <utility>

#include "failure.h"
#include "log.h"

namespace llamero {

Adapter::Adapter(std::shared_ptr<const Model> model, std::string digest)
    : digest_(std::move(digest)), model_(std::move(model)) {}

Adapter::~Adapter() {
  if (!lora_) return;
  const std::lock_guard lock(model_->adapters_mutex());
  lora_.reset();
}

std::shared_ptr<const Adapter> Adapter::LoadLora(std::shared_ptr<const Model> model, const std::string& path,
                                                 std::string digest) {
  const auto adapter = std::shared_ptr<Adapter>(new Adapter(std::move(model), std::move(digest)));
  const LogCapture log;
  {
    const std::lock_guard lock(adapter->model_->adapters_mutex());
    adapter->lora_.reset(llama_adapter_lora_init(adapter->model_->get(), path.c_str()));
  }
  if (!adapter->lora_) {
    throw Failure("ERR_MODEL_REJECTED", "llama.cpp refused the adapter: " + log.Reason("it gave no reason") + ".");
  }
  return adapter;
}

std::shared_ptr<const Adapter> Adapter::FromDirections(std::shared_ptr<const Model> model,
                                                       std::vector<float> directions, std::string digest) {
  const int64_t layers = llama_model_n_layer(model->get()) - 1;
  if (layers < 1 || static_cast<int64_t>(directions.size()) != layers * llama_model_n_embd(model->get())) {
    throw Failure("ERR_INTERNAL", "A control vector needs a direction for each layer after the first.");
  }
  const auto adapter = std::shared_ptr<Adapter>(new Adapter(std::move(model), std::move(digest)));
  adapter->directions_ = std::move(directions);
  return adapter;
}

}  // namespace llamero
