// What llama.cpp's own helpers compute behind a text, a file and another text, to compare ours with.
//
//   media-check MODEL PROJECTOR TEXT FILE TEXT
//
// prints the logits of the last row, one after the other, in one line.
#include <ggml-backend.h>
#include <llama-cpp.h>
#include <mtmd-helper.h>
#include <mtmd.h>

#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

namespace {

void Silence(ggml_log_level, const char*, void*) noexcept {}

mtmd_input_text Text(const char* text) {
  return {.text = text, .text_len = std::strlen(text), .add_special = true, .parse_special = true};
}

void Run(const char* model_path, const char* projector_path, const char* before, const char* file, const char* after) {
  llama_model_params model_params = llama_model_default_params();
  model_params.n_gpu_layers = 0;
  const llama_model_ptr model(llama_model_load_from_file(model_path, model_params));
  if (!model) throw std::runtime_error("the model does not load");
  llama_context_params context_params = llama_context_default_params();
  context_params.n_ctx = 1024;
  const llama_context_ptr context(llama_init_from_model(model.get(), context_params));
  mtmd_context_params projector_params = mtmd_context_params_default();
  projector_params.use_gpu = false;
  projector_params.warmup = false;
  const mtmd::context_ptr projector(mtmd_init_from_file(projector_path, model.get(), projector_params));
  if (!context || !projector) throw std::runtime_error("the context or the projector does not load");

  const mtmd_helper_bitmap_wrapper decoded =
      mtmd_helper_bitmap_init_from_file(projector.get(), file, false, mtmd_helper_init_opt_default());
  const mtmd::bitmap_ptr bitmap(decoded.bitmap);
  if (!bitmap) throw std::runtime_error("the file does not decode");
  const mtmd_input_text first = Text(before);
  const mtmd_input_text last = Text(after);
  const mtmd_input_part parts[] = {{&first, nullptr}, {nullptr, bitmap.get()}, {&last, nullptr}};
  const mtmd_input_part* const listed[] = {&parts[0], &parts[1], &parts[2]};
  const mtmd::input_chunks_ptr chunks(mtmd_input_chunks_init());
  if (mtmd_tokenize_from_parts(projector.get(), chunks.get(), listed, 3, true) != 0) {
    throw std::runtime_error("the parts do not tokenize");
  }
  llama_pos end = 0;
  if (mtmd_helper_eval_chunks(projector.get(), context.get(), chunks.get(), 0, 0, 512, true, &end) != 0) {
    throw std::runtime_error("the parts are not computed");
  }
  const float* logits = llama_get_logits_ith(context.get(), -1);
  for (int i = 0; i < llama_vocab_n_tokens(llama_model_get_vocab(model.get())); i++) std::printf("%.6f ", logits[i]);
  std::printf("\n");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) return 2;
  llama_log_set(Silence, nullptr);
  mtmd_helper_log_set(Silence, nullptr);
  ggml_backend_load_all();
  try {
    Run(arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
