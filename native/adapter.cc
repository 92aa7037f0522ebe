#include "adapter.h"

#include <atomic>
#include <mutex>
#include <utility>

#include "failure.h"
#include "log.h"

namespace llamero {
namespace {

std::atomic<int64_t> next_id = 1;

}  // namespace

Adapter::Adapter(std::shared_ptr<const Model> model) : id_(next_id++), model_(std::move(model)) {}

Adapter::~Adapter() {
  if (!lora_) return;
  const std::lock_guard lock(model_->adapters_mutex());
  lora_.reset();
}

std::shared_ptr<const Adapter> Adapter::LoadLora(std::shared_ptr<const Model> model, const std::string& path) {
  const auto adapter = std::shared_ptr<Adapter>(new Adapter(std::move(model)));
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
                                                       std::vector<float> directions) {
  const int64_t layers = llama_model_n_layer(model->get()) - 1;
  if (layers < 1 || static_cast<int64_t>(directions.size()) != layers * llama_model_n_embd(model->get())) {
    throw Failure("ERR_INTERNAL", "A control vector needs a direction for each layer after the first.");
  }
  const auto adapter = std::shared_ptr<Adapter>(new Adapter(std::move(model)));
  adapter->directions_ = std::move(directions);
  return adapter;
}

}  // namespace llamero
