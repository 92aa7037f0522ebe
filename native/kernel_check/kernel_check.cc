// Compares our kernels with a double-precision reference and with upstream's code, on random shapes.
//
//   kernel-check MODULE SEED CASES
//
// prints one line of JSON: how many cases ran, in how many of them our numbers differ from upstream's (in none where ours
// were not asked), the largest error of either side in its case's own measure, and the first cases where ours is worse
// than both upstream's error and rounding allow.
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();
// What rounding to single precision may cost where upstream happens to be nearly exact.
constexpr double kRounding = 3e-5;

using Random = std::mt19937_64;

int64_t Pick(Random& random, int64_t least, int64_t most) {
  return std::uniform_int_distribution<int64_t>(least, most)(random);
}
template <class Value>
Value OneOf(Random& random, std::initializer_list<Value> values) {
  return values.begin()[Pick(random, 0, static_cast<int64_t>(values.size()) - 1)];
}
std::vector<float> Normal(Random& random, int64_t count, float deviation) {
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> numbers(count);
  for (float& number : numbers) number = normal(random);
  return numbers;
}

/// The CPU backend of one module, with threads that use our kernels or don't.
class Cpu {
 public:
  explicit Cpu(const char* module) : registry_(ggml_backend_load(module)) {
    if (registry_ == nullptr) throw std::runtime_error(std::string(module) + " can't be loaded.");
    backend_ = ggml_backend_dev_init(ggml_backend_reg_dev_get(registry_, 0), nullptr);
  }
  ~Cpu() {
    ggml_backend_free(backend_);
    for (const auto& [threads, pool] : pools_) {
      Function<void (*)(ggml_threadpool_t)>("ggml_threadpool_free")(pool);
    }
  }

  ggml_backend_t backend() const { return backend_; }

  /// Pools are kept, as a program keeps its own: what one graph leaves in them must not reach the next.
  void Compute(ggml_cgraph* graph, int threads, bool own) {
    ggml_threadpool_t& pool = pools_[threads];
    if (pool == nullptr) {
      ggml_threadpool_params params = ggml_threadpool_params_default(threads);
      pool = Function<ggml_threadpool_t (*)(ggml_threadpool_params*)>("ggml_threadpool_new")(&params);
    }
    Function<void (*)(ggml_threadpool_t, uint32_t)>("ggml_threadpool_set_kernels")(pool, own ? ~uint32_t{0} : 0);
    Function<void (*)(ggml_backend_t, int)>("ggml_backend_set_n_threads")(backend_, threads);
    Function<void (*)(ggml_backend_t, ggml_threadpool_t)>("ggml_backend_cpu_set_threadpool")(backend_, pool);
    ggml_backend_graph_compute(backend_, graph);
  }

 private:
  template <class Pointer>
  Pointer Function(const char* name) const {
    return reinterpret_cast<Pointer>(ggml_backend_reg_get_proc_address(registry_, name));
  }

  ggml_backend_reg_t registry_;
  ggml_backend_t backend_;
  std::map<int, ggml_threadpool_t> pools_;
};

/// Tensors of one case and the graph that computes them.
class Graph {
 public:
  Graph() : context_(ggml_init({1 << 20, nullptr, true}), ggml_free) {}

  ggml_context* context() const { return context_.get(); }

  void Allocate(const Cpu& cpu) {
    buffer_.reset(ggml_backend_alloc_ctx_tensors(context(), cpu.backend()));
    graph_ = ggml_new_graph(context());
  }

  std::vector<float> Run(Cpu& cpu, ggml_tensor* result, int threads, bool own) {
    if (ggml_graph_n_nodes(graph_) == 0) ggml_build_forward_expand(graph_, result);
    std::vector<float> numbers(ggml_nelements(result), std::nanf(""));
    ggml_backend_tensor_set(result, numbers.data(), 0, ggml_nbytes(result));
    cpu.Compute(graph_, threads, own);
    ggml_backend_tensor_get(result, numbers.data(), 0, ggml_nbytes(result));
    return numbers;
  }

 private:
  std::unique_ptr<ggml_context, void (*)(ggml_context*)> context_;
  std::unique_ptr<ggml_backend_buffer, void (*)(ggml_backend_buffer*)> buffer_{nullptr, ggml_backend_buffer_free};
  ggml_cgraph* graph_ = nullptr;
};

/// Stores numbers as the tensor's type does, and returns what it then holds.
std::vector<float> Put(ggml_tensor* tensor, const std::vector<float>& numbers) {
  std::vector<uint8_t> stored(ggml_nbytes(tensor));
  ggml_quantize_chunk(tensor->type, numbers.data(), stored.data(), 0, ggml_nrows(tensor), tensor->ne[0], nullptr);
  ggml_backend_tensor_set(tensor, stored.data(), 0, stored.size());
  std::vector<float> held(numbers.size());
  if (tensor->type == GGML_TYPE_F32) return numbers;
  ggml_get_type_traits(tensor->type)->to_float(stored.data(), held.data(), static_cast<int64_t>(held.size()));
  return held;
}

struct Finding {
  double own = 0, upstream = 0;
  bool differs = false;  // to the last bit
  std::string what;
};

struct Attention {
  int64_t key_size, value_size, rows, key_heads, group, streams, cells, mask_streams;
  ggml_type key_type, value_type;
  float scale, max_bias, soft_cap;
  bool sinks, masked;
  std::string mask_kind;
  int threads;

  std::string Describe() const {
    return "attention: " + std::to_string(rows) + " rows, " + std::to_string(key_heads) + " x " +
           std::to_string(group) + " heads, " + std::to_string(cells) + " cells, sizes " + std::to_string(key_size) +
           " and " + std::to_string(value_size) + ", types " + ggml_type_name(key_type) + " and " +
           ggml_type_name(value_type) + ", " + std::to_string(streams) + " streams, mask " + mask_kind + ", bias " +
           std::to_string(max_bias) + ", cap " + std::to_string(soft_cap) + (sinks ? ", sinks" : "") + ", " +
           std::to_string(threads) + " threads";
  }
};

Attention RandomAttention(Random& random) {
  Attention a;
  a.key_size = OneOf<int64_t>(random, {32, 64, 64, 64, 80, 96, 112, 128, 128, 192, 256});
  a.value_size = Pick(random, 0, 9) == 0 ? OneOf<int64_t>(random, {32, 64, 128}) : a.key_size;
  a.rows = OneOf<int64_t>(random, {1, 1, 1, 2, 3, 8, Pick(random, 1, 40), Pick(random, 60, 150)});
  a.key_heads = Pick(random, 1, 4);
  a.group = OneOf<int64_t>(random, {1, 2, 3, 3, 4, 5, 7, 8, 16, 71});
  a.streams = Pick(random, 0, 5) == 0 ? Pick(random, 2, 3) : 1;
  a.cells = OneOf<int64_t>(random, {1, Pick(random, 1, 70), 256, 256, Pick(random, 65, 700)});
  a.mask_streams = Pick(random, 0, 1) == 0 ? 1 : a.streams;
  const auto type = [&] {
    return OneOf(random, {GGML_TYPE_F16, GGML_TYPE_F16, GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_F32, GGML_TYPE_Q8_0});
  };
  a.key_type = type();
  a.value_type = Pick(random, 0, 2) == 0 ? type() : a.key_type;
  if (a.key_type == GGML_TYPE_Q8_0 && a.key_size % 32 != 0) a.key_type = GGML_TYPE_F16;
  if (a.value_type == GGML_TYPE_Q8_0 && a.value_size % 32 != 0) a.value_type = GGML_TYPE_F16;
  a.scale = 1 / std::sqrt(static_cast<float>(a.key_size));
  a.max_bias = Pick(random, 0, 6) == 0 ? 8 : 0;
  a.soft_cap = Pick(random, 0, 6) == 0 ? 20 : 0;
  a.sinks = Pick(random, 0, 6) == 0;
  a.masked = a.max_bias > 0 || Pick(random, 0, 12) != 0;
  a.mask_kind = a.masked ? OneOf<std::string>(random, {"causal", "full", "empty", "holes", "interleaved", "windowed",
                                                       "one each", "shared and own"})
                         : "none";
  a.threads = OneOf(random, {1, 2, 2, 3, 5});
  return a;
}

/// [mask_streams][rows][cells]: minus infinity where a row sees nothing.
std::vector<float> RandomMask(Random& random, const Attention& a) {
  const bool biased = a.max_bias > 0 || Pick(random, 0, 9) == 0;
  std::vector<float> mask(a.mask_streams * a.rows * a.cells);
  for (int64_t i = 0; i < static_cast<int64_t>(mask.size()); i++) {
    const int64_t cell = i % a.cells;
    const int64_t row = i / a.cells % a.rows;
    const int64_t position = a.cells - a.rows + row;  // of a row whose own cell is the last it sees
    bool live = true;
    if (a.mask_kind == "causal") live = cell <= position;
    if (a.mask_kind == "empty") live = row % 3 != 0 && cell <= position;
    if (a.mask_kind == "holes") live = Pick(random, 0, 3) != 0;
    if (a.mask_kind == "interleaved") live = cell % a.rows == row;
    if (a.mask_kind == "windowed") live = cell <= position && cell > position - 50;
    if (a.mask_kind == "one each") live = cell == row;
    if (a.mask_kind == "shared and own") live = cell < a.cells / 2 || cell * a.rows / a.cells == row;
    mask[i] = !live ? kNone : biased ? static_cast<float>(-(std::abs(position - cell) % 30)) : 0.0f;
  }
  return mask;
}

std::vector<double> Reference(const Attention& a, const std::vector<float>& q, const std::vector<float>& k,
                              const std::vector<float>& v, const std::vector<float>& mask,
                              const std::vector<float>& sinks) {
  const int64_t heads = a.key_heads * a.group;
  const int64_t whole = int64_t{1} << static_cast<int64_t>(std::floor(std::log2(heads)));
  std::vector<double> out(a.streams * a.rows * heads * a.value_size);
  for (int64_t i = 0; i < a.streams * a.rows * heads; i++) {
    const int64_t head = i % heads;
    const int64_t row = i / heads % a.rows;
    const int64_t stream = i / heads / a.rows;
    const double power = head < whole ? (head + 1.0) / whole : (2 * (head - whole) + 1) / (2.0 * whole);
    const double slope = a.max_bias > 0 ? std::exp2(-a.max_bias * power) : 1;
    const float* query = &q[((stream * heads + head) * a.rows + row) * a.key_size];
    std::vector<double> scores(a.cells);
    double most = a.sinks ? sinks[head] : kNone;
    for (int64_t cell = 0; cell < a.cells; cell++) {
      const float* key = &k[((stream * a.key_heads + head / a.group) * a.cells + cell) * a.key_size];
      double score = 0;
      for (int64_t d = 0; d < a.key_size; d++) score += static_cast<double>(query[d]) * key[d];
      score *= a.scale;
      if (a.soft_cap != 0) score = a.soft_cap * std::tanh(score / a.soft_cap);
      if (a.masked) score += slope * mask[((stream % a.mask_streams) * a.rows + row) * a.cells + cell];
      scores[cell] = score;
      most = std::max(most, score);
    }
    if (std::isinf(most)) continue;
    double sum = a.sinks ? std::exp(sinks[head] - most) : 0;
    for (int64_t cell = 0; cell < a.cells; cell++) {
      const double weight = std::exp(scores[cell] - most);
      sum += weight;
      const float* value = &v[((stream * a.key_heads + head / a.group) * a.cells + cell) * a.value_size];
      if (weight > 0) {
        for (int64_t d = 0; d < a.value_size; d++) out[i * a.value_size + d] += weight * value[d];
      }
    }
    for (int64_t d = 0; d < a.value_size; d++) out[i * a.value_size + d] /= sum;
  }
  return out;
}

/// NaN counts as an endless error.
template <class Expected>
double LargestError(const std::vector<float>& found, const std::vector<Expected>& expected) {
  double largest = 0;
  for (size_t i = 0; i < found.size(); i++) {
    const double error = std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
    if (!(error <= largest)) largest = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
  }
  return largest;
}

/// One to three layers that share a mask, or have two in turn as models with windows do.
Finding CheckAttention(Cpu& cpu, Random& random) {
  const Attention a = RandomAttention(random);
  const int64_t heads = a.key_heads * a.group;
  struct Layer {
    ggml_tensor *q, *k, *v, *sinks, *mask;
  };
  Graph graph;
  ggml_context* context = graph.context();
  std::vector<ggml_tensor*> masks(a.masked ? Pick(random, 1, 2) : 0);
  for (ggml_tensor*& mask : masks) {
    mask = ggml_new_tensor_4d(context, GGML_TYPE_F16, a.cells, a.rows, 1, a.mask_streams);
  }
  std::vector<Layer> layers(OneOf<size_t>(random, {1, 1, 2, 3}));
  ggml_tensor* result = nullptr;
  for (size_t i = 0; i < layers.size(); i++) {
    Layer& layer = layers[i];
    layer.q = ggml_new_tensor_4d(context, GGML_TYPE_F32, a.key_size, a.rows, heads, a.streams);
    layer.k = ggml_new_tensor_4d(context, a.key_type, a.key_size, a.cells, a.key_heads, a.streams);
    layer.v = ggml_new_tensor_4d(context, a.value_type, a.value_size, a.cells, a.key_heads, a.streams);
    layer.sinks = ggml_new_tensor_1d(context, GGML_TYPE_F32, heads);
    layer.mask = a.masked ? masks[i % masks.size()] : nullptr;
    ggml_tensor* one =
        ggml_flash_attn_ext(context, layer.q, layer.k, layer.v, layer.mask, a.scale, a.max_bias, a.soft_cap);
    if (a.sinks) ggml_flash_attn_ext_add_sinks(one, layer.sinks);
    result = result == nullptr ? one : ggml_concat(context, result, one, 3);
  }
  graph.Allocate(cpu);

  std::vector<std::vector<float>> held(std::max<size_t>(masks.size(), 1));
  for (size_t i = 0; i < masks.size(); i++) held[i] = Put(masks[i], RandomMask(random, a));
  std::vector<double> expected;
  for (size_t i = 0; i < layers.size(); i++) {
    const Layer& layer = layers[i];
    const auto queries = Put(layer.q, Normal(random, ggml_nelements(layer.q), 2));
    const auto keys = Put(layer.k, Normal(random, ggml_nelements(layer.k), 1));
    const auto values = Put(layer.v, Normal(random, ggml_nelements(layer.v), 1));
    const auto sunk = Put(layer.sinks, Normal(random, heads, 2));
    const auto one = Reference(a, queries, keys, values, held[i % held.size()], sunk);
    expected.insert(expected.end(), one.begin(), one.end());
  }

  Finding finding;
  finding.what =
      a.Describe() + ", " + std::to_string(layers.size()) + " layers, " + std::to_string(masks.size()) + " masks";
  const auto own = graph.Run(cpu, result, a.threads, true);
  finding.own = LargestError(own, expected);
  const auto upstream = graph.Run(cpu, result, 1, false);
  finding.upstream = LargestError(upstream, expected);
  finding.differs = own != upstream;
  // The number of threads may change the order of a sum, no more.
  const double apart = LargestError(graph.Run(cpu, result, 1, true), own);
  if (!(apart <= kRounding)) {
    finding.own = std::numeric_limits<double>::infinity();
    finding.what += "; with one thread " + std::to_string(apart) + " apart";
  }
  return finding;
}

/// Against the exact products of what the weights hold. Both sides round the inputs to bytes, so their errors are alike.
Finding CheckProduct(Cpu& cpu, Random& random) {
  const ggml_type type = OneOf(random, {GGML_TYPE_Q4_1, GGML_TYPE_Q8_0});
  const int64_t size = 32 * OneOf<int64_t>(random, {1, 2, 3, 4, 5, 18, Pick(random, 1, 80)});
  const int64_t rows = OneOf<int64_t>(random, {1, 2, 7, 64, Pick(random, 1, 300)});
  const int64_t columns = OneOf<int64_t>(random, {1, 1, 2, 3, 8, Pick(random, 1, 40)});
  const int threads = OneOf(random, {1, 2, 3, 5});
  Graph graph;
  ggml_tensor* weights = ggml_new_tensor_2d(graph.context(), type, size, rows);
  ggml_tensor* inputs = ggml_new_tensor_2d(graph.context(), GGML_TYPE_F32, size, columns);
  ggml_tensor* result = ggml_mul_mat(graph.context(), weights, inputs);
  graph.Allocate(cpu);
  const auto held = Put(weights, Normal(random, size * rows, 1));
  const auto given = Put(inputs, Normal(random, size * columns, 1));

  std::vector<double> expected(rows * columns);
  for (int64_t i = 0; i < rows * columns; i++) {
    for (int64_t d = 0; d < size; d++) {
      expected[i] += static_cast<double>(held[i % rows * size + d]) * given[i / rows * size + d];
    }
    expected[i] /= std::sqrt(size);
  }
  const auto run = [&](int with, bool own) {
    auto found = graph.Run(cpu, result, with, own);
    for (float& number : found) number /= std::sqrt(static_cast<float>(size));
    return found;
  };
  Finding finding;
  finding.what = "product: " + std::string(ggml_type_name(type)) + ", " + std::to_string(rows) + " rows of " +
                 std::to_string(size) + ", " + std::to_string(columns) + " columns, " + std::to_string(threads) +
                 " threads";
  const auto own = run(threads, true);
  const auto upstream = run(1, false);
  finding.own = LargestError(own, expected);
  finding.upstream = LargestError(upstream, expected);
  finding.differs = own != upstream;
  // The inputs' rounding is the same on both sides, so they are much closer to each other than to the truth.
  const double apart = LargestError(own, upstream);
  if (!(apart <= kRounding * 10)) {
    finding.own = std::numeric_limits<double>::infinity();
    finding.what += "; " + std::to_string(apart) + " apart from upstream's";
  }
  return finding;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "Usage: kernel-check MODULE SEED CASES\n");
    return 2;
  }
  Cpu cpu(arguments[1]);
  Random random(std::stoull(arguments[2]));
  const int64_t cases = std::stoll(arguments[3]);
  double own = 0;
  double upstream = 0;
  std::string worse;
  int64_t worse_count = 0;
  int64_t differing = 0;
  for (int64_t i = 0; i < cases; i++) {
    const Finding finding = i % 4 == 3 ? CheckProduct(cpu, random) : CheckAttention(cpu, random);
    differing += finding.differs;
    own = std::max(own, finding.own);
    upstream = std::max(upstream, finding.upstream);
    if (finding.own <= std::max(finding.upstream * 1.05, kRounding)) continue;
    if (worse_count++ < 5) {
      if (!worse.empty()) worse += ", ";
      worse += "\"" + finding.what + ": " + std::to_string(finding.own) + " against " +
               std::to_string(finding.upstream) + "\"";
    }
  }
  std::printf("{\"cases\": %lld, \"differing\": %lld, \"own\": %g, \"upstream\": %g, \"worse\": [%s]}\n",
              static_cast<long long>(cases), static_cast<long long>(differing), std::isinf(own) ? 1e300 : own,
              std::isinf(upstream) ? 1e300 : upstream, worse.c_str());
  return 0;
}
