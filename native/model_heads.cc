#include "model_heads.h"

#include <ggml-backend.h>
#include <llama-model.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "failure.h"

namespace llamero {
namespace {

// llama.cpp's src/models with a graph for heads, without those that have sliding windows or several heads (Step 3.5, MiMo
// V2, Cohere 2 MoE, DeepSeek V4).
constexpr std::array<std::string_view, 10> kWithHead = {"qwen35",      "qwen35moe",     "qwen3next", "glm4moe",
                                                        "deepseek2",   "deepseek32",    "glm-dsa",   "hy_v3",
                                                        "bailingmoe3", "nemotron_h_moe"};

// Of these and of those above llama.cpp takes a file without the model's own layers.
constexpr std::array<std::string_view, 3> kMayLackTrunk = {"step35", "cohere2moe", "deepseek4"};

// Of these llama.cpp hands out the states before each layer; of others it ends the process. Those with sliding windows
// (Gemma 4, gpt-oss, DeepSeek V4) are left out.
constexpr std::array<std::string_view, 14> kWithStates = {
    "llama",      "qwen3",          "qwen3moe",    "qwen35",     "qwen35moe",  "qwen3next", "lfm2",
    "nemotron_h", "nemotron_h_moe", "bailingmoe3", "hunyuan_vl", "minimax-m2", "nanbeige",  "minimax-01"};

constexpr const char* kHeadAlone = "eagle3";

template <size_t Count>
bool Contains(const std::array<std::string_view, Count>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string ArchitectureOf(const llama_model* model) {
  char text[128] = "";
  llama_model_meta_val_str(model, "general.architecture", text, sizeof text);
  return text;
}

[[noreturn]] void Refuse(const std::string& reason) {
  throw Failure("ERR_UNSUPPORTED", "The trained head can't be used: " + reason + ". Open the model without `mtp`.");
}

[[noreturn]] void RefuseAlone(const std::string& reason) {
  throw Failure("ERR_UNSUPPORTED", "The trained head (EAGLE-3) can't be used: " + reason +
                                       ". Choose the head that was trained with this model.");
}

/// llama.cpp takes the width of states that it hands out from one number and computes them with another.
bool HasOneWidth(const llama_model* model) { return llama_model_n_embd_out(model) == llama_model_n_embd(model); }

std::string Number(int64_t number) { return std::to_string(number); }

/// What a head lacks it takes from the model.
void RequireShared(const ggml_tensor* own, const ggml_tensor* of_model, int64_t width, int64_t tokens,
                   const std::string& name) {
  const ggml_tensor* used = own != nullptr ? own : of_model;
  if (used == nullptr) RefuseAlone("neither it nor the model has the weights of the " + name);
  if (used->ne[0] == width && used->ne[1] >= tokens) return;
  RefuseAlone("its " + name + " is of another shape");
}

/// Which of the model's tokens the head's own ones are: numbers that llama.cpp takes for places in memory.
void RequireTokens(const ggml_tensor* map, const ggml_tensor* output, int64_t tokens) {
  if (map == nullptr) return;
  const int64_t count = map->ne[0];
  if (map->type != GGML_TYPE_I64 || output == nullptr || output->ne[1] != count || ggml_nelements(map) != count) {
    RefuseAlone("the map of its tokens is of another shape");
  }
  std::vector<int64_t> ids(static_cast<size_t>(count));
  ggml_backend_tensor_get(map, ids.data(), 0, ggml_nbytes(map));
  const bool valid = std::all_of(ids.begin(), ids.end(), [&](int64_t id) { return id >= 0 && id < tokens; });
  if (!valid) RefuseAlone("the map of its tokens names some that the model does not have");
}

}  // namespace

void RequireTrunk(const llama_model* model) {
  const std::string architecture = ArchitectureOf(model);
  if (llama_model_n_layer_nextn(model) == 0) return;
  if (!Contains(kWithHead, architecture) && !Contains(kMayLackTrunk, architecture)) return;
  if (llama_model_n_layer(model) > 0 && model->get_tensor("blk.0.attn_norm.weight") != nullptr) return;
  throw Failure(
      "ERR_MODEL_REJECTED",
      "The file holds the trained heads (MTP) of a model and not the model itself; choose the file that has both.");
}

void RequireHead(const llama_model* model) {
  const int heads = llama_model_n_layer_nextn(model);
  if (heads == 0) Refuse("the model's file has none");
  const std::string architecture = ArchitectureOf(model);
  if (!Contains(kWithHead, architecture)) {
    Refuse("a model of the architecture \"" + architecture + "\" does not work with one");
  }
  if (heads > 1) Refuse("the model has " + std::to_string(heads) + " of them, one at most is supported");
  if (!HasOneWidth(model)) Refuse("its states are of another width than the model's");
  const std::string name = "blk." + std::to_string(llama_model_n_layer(model)) + ".nextn.eh_proj.weight";
  if (model->get_tensor(name.c_str()) == nullptr) Refuse("its weights were left out of the file");
}

bool IsHeadAlone(const llama_model* model) { return ArchitectureOf(model) == kHeadAlone; }

void RequireFit(const llama_model* model, const llama_model* head) {
  const std::string architecture = ArchitectureOf(model);
  if (!Contains(kWithStates, architecture)) {
    RefuseAlone("llama.cpp does not hand out what it reads of a model of the architecture \"" + architecture + "\"");
  }
  const auto width = static_cast<int64_t>(llama_model_n_embd(model));
  const auto read = static_cast<int64_t>(head->hparams.n_embd_inp_enc());
  const auto layers = static_cast<int64_t>(head->target_layer_ids.size());
  if (read != layers * width) {
    RefuseAlone("it reads " + Number(read) + " numbers of each token, and " + Number(layers) +
                " layers of this model have " + Number(layers * width));
  }
  for (const int32_t layer : head->target_layer_ids) {
    if (layer < 0 || layer >= llama_model_n_layer(model)) {
      RefuseAlone("it reads layer " + Number(layer) + ", and the model has " + Number(llama_model_n_layer(model)));
    }
  }
  const bool keys_fit = head->hparams.n_embd_head_k() == head->hparams.n_embd_head_v();
  if (!HasOneWidth(head) || !keys_fit) RefuseAlone("what it says of its states, keys and values does not fit together");
  const auto own_layers = static_cast<int64_t>(llama_model_n_layer(head));
  if (own_layers != 1) RefuseAlone("it has " + Number(own_layers) + " layers in place of one");
  const auto own_width = static_cast<int64_t>(llama_model_n_embd(head));
  const auto tokens = static_cast<int64_t>(llama_vocab_n_tokens(llama_model_get_vocab(head)));
  const auto model_tokens = static_cast<int64_t>(llama_vocab_n_tokens(llama_model_get_vocab(model)));
  if (tokens != model_tokens) {
    RefuseAlone("it has " + Number(tokens) + " tokens, and the model has " + Number(model_tokens));
  }
  RequireShared(head->tok_embd, model->tok_embd, own_width, tokens, "embedding");
  RequireShared(head->output, model->output, own_width, head->d2t == nullptr ? tokens : 1, "output");
  RequireTokens(head->d2t, head->output, tokens);
}

}  // namespace llamero
