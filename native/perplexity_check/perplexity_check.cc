// How well a model foretells a text by our kernels and by upstream's, with the same CPU module.
//
//   perplexity-check MODULE MODEL TOKENS ROWS CACHE TEXT...
//
// cuts the files TEXT, read one behind the other, into windows of 512 tokens, decodes as many as make up TOKENS, ROWS
// tokens at once, with keys and values of type CACHE, and prints one line of JSON: how many tokens were foretold, the
// perplexity of either side, the standard error of the logarithm of their ratio, and how far our distributions lie from
// upstream's (Kullback-Leibler, in nats, on average).
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <llama-cpp.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int32_t kWindow = 512;
constexpr int kDigits = 6;

/// The threads that compute. With loadable backends their functions are looked up in the CPU module.
class Threads {
 public:
  Threads(ggml_backend_reg_t registry, int32_t count) : registry_(registry) {
    ggml_threadpool_params params = ggml_threadpool_params_default(count);
    pool_ = Function<ggml_threadpool_t (*)(ggml_threadpool_params*)>("ggml_threadpool_new")(&params);
  }
  ~Threads() { Function<void (*)(ggml_threadpool_t)>("ggml_threadpool_free")(pool_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  ggml_threadpool_t pool() const { return pool_; }

  void UseKernels(bool own) const {
    Function<void (*)(ggml_threadpool_t, uint32_t)>("ggml_threadpool_set_kernels")(pool_, own ? ~uint32_t{0} : 0);
  }

 private:
  template <class Pointer>
  Pointer Function(const char* name) const {
    return reinterpret_cast<Pointer>(ggml_backend_reg_get_proc_address(registry_, name));
  }

  ggml_backend_reg_t registry_;
  ggml_threadpool_t pool_;
};

ggml_type TypeNamed(const std::string& name) {
  for (int i = 0; i < GGML_TYPE_COUNT; i++) {
    const auto type = static_cast<ggml_type>(i);
    if (ggml_type_name(type) != nullptr && name == ggml_type_name(type)) return type;
  }
  throw std::runtime_error("There is no type '" + name + "'.");
}

std::string Read(std::span<char*> paths) {
  std::string text;
  for (const char* path : paths) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error(std::string(path) + " can't be read.");
    text.append(std::istreambuf_iterator<char>(file), {});
  }
  return text;
}

std::vector<llama_token> Tokenize(const llama_model* model, const std::string& text) {
  std::vector<llama_token> tokens(text.size() + 1);
  const int32_t count =
      llama_tokenize(llama_model_get_vocab(model), text.data(), static_cast<int32_t>(text.size()), tokens.data(),
                     static_cast<int32_t>(tokens.size()), /*add_special=*/false, /*parse_special=*/false);
  if (count < 0) throw std::runtime_error("The text can't be cut into tokens.");
  tokens.resize(count);
  return tokens;
}

/// The logits behind each token of a window, row after row.
std::vector<float> Decode(llama_context* context, std::span<llama_token> window, int32_t rows) {
  const size_t vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(context)));
  llama_memory_clear(llama_get_memory(context), true);
  std::vector<float> logits;
  logits.reserve(window.size() * vocabulary);
  std::vector<int8_t> all(rows, 1);
  for (size_t at = 0; at < window.size(); at += rows) {
    const size_t count = std::min<size_t>(rows, window.size() - at);
    llama_batch batch = llama_batch_get_one(&window[at], static_cast<int32_t>(count));
    batch.logits = all.data();
    if (llama_decode(context, batch) != 0) throw std::runtime_error("The model does not decode.");
    const float* found = llama_get_logits(context);
    logits.insert(logits.end(), found, found + count * vocabulary);
  }
  return logits;
}

/// The logarithm of what a row's exponentials sum up to: subtracted from a logit it gives a logarithmic probability.
double LogSum(std::span<const float> row) {
  const float most = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float logit : row) sum += std::exp(logit - most);
  return most + std::log(sum);
}

/// Sums over the tokens of a text.
struct Findings {
  int64_t tokens = 0;
  double own = 0, upstream = 0;  // logarithmic probabilities of what the text says, negated
  double squares = 0;            // of what the two are apart
  double divergence = 0;

  double Error() const {
    const double mean = (own - upstream) / static_cast<double>(tokens);
    return std::sqrt((squares / static_cast<double>(tokens) - mean * mean) / static_cast<double>(tokens));
  }

  void Add(std::span<const float> own_row, std::span<const float> upstream_row, llama_token said) {
    const double own_sum = LogSum(own_row);
    const double upstream_sum = LogSum(upstream_row);
    const double own_surprise = own_sum - own_row[said];
    const double upstream_surprise = upstream_sum - upstream_row[said];
    own += own_surprise;
    upstream += upstream_surprise;
    squares += (own_surprise - upstream_surprise) * (own_surprise - upstream_surprise);
    double apart = own_sum - upstream_sum;
    for (size_t i = 0; i < own_row.size(); i++) {
      const float difference = upstream_row[i] - own_row[i];
      apart += std::exp(upstream_row[i] - static_cast<float>(upstream_sum)) * difference;
    }
    divergence += apart;
    tokens++;
  }
};

Findings Compare(const char* module, const char* model_path, int64_t wanted, int32_t rows, const char* cache,
                 std::span<char*> texts) {
  ggml_backend_reg_t registry = ggml_backend_load(module);
  if (registry == nullptr) throw std::runtime_error(std::string(module) + " can't be loaded.");
  const llama_model_ptr model(llama_model_load_from_file(model_path, llama_model_default_params()));
  if (!model) throw std::runtime_error(std::string(model_path) + " does not load.");
  std::vector<llama_token> tokens = Tokenize(model.get(), Read(texts));
  if (static_cast<int64_t>(tokens.size()) <= wanted + kWindow) {
    throw std::runtime_error("The text has " + std::to_string(tokens.size()) + " tokens, too few.");
  }

  const auto threads = static_cast<int32_t>(std::max(1u, std::thread::hardware_concurrency()));
  const Threads pool(registry, threads);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = kWindow;
  params.n_batch = params.n_ubatch = rows;
  params.n_threads = params.n_threads_batch = threads;
  params.type_k = params.type_v = TypeNamed(cache);
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  const llama_context_ptr context(llama_init_from_model(model.get(), params));
  if (!context) throw std::runtime_error("The context can't be made.");
  llama_attach_threadpool(context.get(), pool.pool(), nullptr);

  Findings findings;
  for (size_t begin = 0; findings.tokens < wanted; begin += kWindow) {
    const std::span<llama_token> window(&tokens[begin], kWindow);
    pool.UseKernels(true);
    const std::vector<float> own = Decode(context.get(), window, rows);
    pool.UseKernels(false);
    const std::vector<float> upstream = Decode(context.get(), window, rows);
    const size_t vocabulary = own.size() / kWindow;
    for (size_t i = 0; i < kWindow; i++) {
      const auto row = [&](const std::vector<float>& of) { return std::span(of).subspan(i * vocabulary, vocabulary); };
      findings.Add(row(own), row(upstream), tokens[begin + i + 1]);
    }
  }
  return findings;
}

/// What is no number becomes an endless one, which JSON can hold.
double Number(double value) { return std::isfinite(value) ? value : 1e300; }

}  // namespace

int main(int count, char** arguments) {
  if (count < 7) {
    std::fprintf(stderr, "Usage: perplexity-check MODULE MODEL TOKENS ROWS CACHE TEXT...\n");
    return 2;
  }
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  try {
    const Findings found = Compare(arguments[1], arguments[2], std::stoll(arguments[3]), std::stoi(arguments[4]),
                                   arguments[5], {arguments + 6, static_cast<size_t>(count - 6)});
    const auto mean = [&](double sum) { return sum / static_cast<double>(found.tokens); };
    std::printf("{\"tokens\": %lld, \"own\": %.*f, \"upstream\": %.*f, \"error\": %g, \"divergence\": %g}\n",
                static_cast<long long>(found.tokens), kDigits, Number(std::exp(mean(found.own))), kDigits,
                Number(std::exp(mean(found.upstream))), Number(found.Error()), Number(mean(found.divergence)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
