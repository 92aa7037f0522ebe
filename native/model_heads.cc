#include "model_heads.h"

#include <llama-model.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "failure.h"

namespace llamero {
namespace {

// llama.cpp's src/models with a graph for heads, without those that have sliding windows or several heads (Step 3.5, MiMo
// V2, Cohere 2 MoE, DeepSeek V4).
constexpr std::array<std::string_view, 10> kArchitectures = {"qwen35",      "qwen35moe",     "qwen3next", "glm4moe",
                                                             "deepseek2",   "deepseek32",    "glm-dsa",   "hy_v3",
                                                             "bailingmoe3", "nemotron_h_moe"};

[[noreturn]] void Refuse(const std::string& reason) {
  throw Failure("ERR_UNSUPPORTED", "The trained head can't be used: " + reason + ". Open the model without `mtp`.");
}

}  // namespace

void RequireTrunk(const llama_model* model) {
  const bool has_trunk = llama_model_n_layer(model) > 0 && model->get_tensor("blk.0.attn_norm.weight") != nullptr;
  if (llama_model_n_layer_nextn(model) == 0 || has_trunk) return;
  throw Failure(
      "ERR_MODEL_REJECTED",
      "The file holds the trained heads (MTP) of a model and not the model itself; choose the file that has both.");
}

void RequireHead(const llama_model* model) {
  const int heads = llama_model_n_layer_nextn(model);
  if (heads == 0) Refuse("the model's file has none");
  char text[128] = "";
  llama_model_meta_val_str(model, "general.architecture", text, sizeof text);
  const std::string architecture = text;
  if (std::find(kArchitectures.begin(), kArchitectures.end(), architecture) == kArchitectures.end()) {
    Refuse("a model of the architecture \"" + architecture + "\" does not work with one");
  }
  if (heads > 1) Refuse("the model has " + std::to_string(heads) + " of them, one at most is supported");
  const std::string name = "blk." + std::to_string(llama_model_n_layer(model)) + ".nextn.eh_proj.weight";
  if (model->get_tensor(name.c_str()) == nullptr) Refuse("its weights were left out of the file");
}

}  // namespace llamero
