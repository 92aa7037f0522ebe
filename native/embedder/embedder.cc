#include "embedder/embedder.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>

#include "failure.h"

namespace llamero {
namespace {

using Clock = std::chrono::steady_clock;

Failure Closed() { return Failure("ERR_DISPOSED", "The model was closed; load it again to embed."); }

double MillisecondsSince(Clock::time_point began) {
  return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
}

}  // namespace

/// A request with what it has come to.
struct Embedder::Task {
  explicit Task(EmbedRequest given) : request(std::move(given)) {}

  bool rank() const { return request.pooling == Pooling::kRank; }
  bool cancelled() const { return request.cancelled && request.cancelled->load(); }
  bool done() const { return next == request.lengths.size(); }

  /// Makes the next input's vectors of what was pooled, cut and normalised.
  void FinishInput(size_t width) {
    std::vector<float> vectors = pooler->Take();
    const bool is_vector = !rank();
    const size_t kept = is_vector && request.dimensions > 0 ? std::min<size_t>(request.dimensions, width) : width;
    if (!std::all_of(vectors.begin(), vectors.end(), [](float value) { return std::isfinite(value); })) {
      failure = std::make_exception_ptr(
          Failure("ERR_ENGINE_CRASHED",
                  "The model computed a vector with values that are no numbers; its weights may be damaged."));
    }
    for (size_t at = 0; at < vectors.size(); at += width) {
      const std::span<float> vector(vectors.data() + at, kept);
      if (is_vector && request.normalize) Normalize(vector);
      result.insert(result.end(), vector.begin(), vector.end());
    }
    begin += request.lengths[next++];
    computed = 0;
  }

  EmbedRequest request;
  size_t next = 0;       // input
  int64_t begin = 0;     // its first token
  int64_t computed = 0;  // of its tokens
  std::optional<Pooler> pooler;
  std::vector<float> result;
  std::exception_ptr failure;
  std::promise<std::vector<float>> promise;
};

struct Embedder::Step {
  struct Share {
    std::shared_ptr<Task> task;
    EmbeddingContext::Piece piece;
    int64_t length = 0;  // of the whole input
  };
  std::vector<Share> shares;
};

Embedder::Embedder(std::shared_ptr<const Model> model, const EmbedderOptions& options)
    : model_(std::move(model)), options_(options), thread_(std::make_unique<Thread>([this] { Work(); })) {}

Embedder::~Embedder() { Close(); }

std::vector<float> Embedder::Run(EmbedRequest request) {
  const auto task = std::make_shared<Task>(std::move(request));
  std::future<std::vector<float>> result = task->promise.get_future();
  {
    const std::lock_guard lock(mutex_);
    if (closing_) throw Closed();  // B4
    queue_.push_back(task);
    changed_.notify_one();
  }
  return result.get();
}

EmbedderStats Embedder::Stats() const {
  const std::lock_guard lock(mutex_);
  EmbedderStats stats = stats_;
  stats.waiting = static_cast<int64_t>(queue_.size());
  return stats;
}

void Embedder::Stop() {
  const std::lock_guard lock(mutex_);
  closing_ = true;
  changed_.notify_one();
}

void Embedder::Close() {
  const std::lock_guard closing(close_mutex_);  // B4: a second caller waits for the first
  Stop();
  if (thread_) thread_->Join();
  thread_.reset();
  context_.reset();
  model_.reset();
}

void Embedder::Work() {
  Tasks tasks;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return closing_ || !queue_.empty(); });
      tasks.assign(queue_.begin(), queue_.end());
    }
    if (closing_) break;
    for (const auto& task : tasks) {
      if (task->cancelled())
        Settle(task, std::make_exception_ptr(Failure("ERR_CANCELLED", "The embedding was cancelled.")));
    }
    std::erase_if(tasks, [](const auto& task) { return task->cancelled(); });
    if (!tasks.empty()) ComputeNext(tasks);
  }
  {
    const std::lock_guard lock(mutex_);
    tasks.assign(queue_.begin(), queue_.end());
  }
  for (const auto& task : tasks) Settle(task, std::make_exception_ptr(Closed()));
  context_.reset();
}

void Embedder::ComputeNext(const Tasks& tasks) {
  participants_ = {tasks.front()};
  try {
    const auto began = Clock::now();
    const std::shared_ptr<Task>& first = tasks.front();
    RequireContext(first->rank(), first->request.lengths[first->next]);
    const Step step = PlanNext(tasks);
    std::vector<EmbeddingContext::Piece> pieces;
    for (const Step::Share& share : step.shares) {
      pieces.push_back(share.piece);
      if (participants_.back() != share.task) participants_.push_back(share.task);
    }
    if (!context_->Compute(pieces)) return;  // B3: whoever was cancelled is dropped before the next step
    Collect(step);
    const std::lock_guard lock(mutex_);
    stats_.steps++;
    stats_.compute_ms += MillisecondsSince(began);
  } catch (...) {  // B5
    context_.reset();
    const auto failure = std::make_exception_ptr(CurrentFailure("ERR_ENGINE_CRASHED"));
    for (const auto& task : participants_) Settle(task, failure);
    return;
  }
  for (const auto& task : participants_) {
    if (task->failure || task->done()) Settle(task, task->failure);
  }
}

/// The next step's shares: inputs of all tasks that want the same head, in order.
Embedder::Step Embedder::PlanNext(const Tasks& tasks) const {
  const int64_t most = context_->options().max_inputs;
  Step step;
  std::vector<PackInput> waiting;
  for (const auto& task : tasks) {
    if (task->rank() != tasks.front()->rank()) continue;
    int64_t begin = task->begin;
    int64_t computed = task->computed;
    for (size_t input = task->next; input < task->request.lengths.size(); input++) {
      if (static_cast<int64_t>(waiting.size()) == most) break;
      const int64_t length = task->request.lengths[input];
      waiting.push_back({.length = length, .computed = computed});
      const std::span<const llama_token> tokens(task->request.tokens.data() + begin + computed, length - computed);
      step.shares.push_back({task, {.tokens = tokens, .from = computed}, length});
      begin += length;
      computed = 0;
    }
  }
  const bool splits = options_.splits && !tasks.front()->rank();
  const auto counts = PackStep(
      waiting,
      {.tokens = std::min(options_.batch_size, context_->options().batch_size), .inputs = most, .splits = splits});
  step.shares.resize(counts.size());
  for (size_t i = 0; i < counts.size(); i++) {
    EmbeddingContext::Piece& piece = step.shares[i].piece;
    piece.tokens = piece.tokens.first(counts[i]);
  }
  return step;
}

/// B2. Sizes are powers of two, so that inputs of growing length make few contexts.
void Embedder::RequireContext(bool rank, int64_t length) {
  const auto room = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(length)));
  const int64_t most = std::max(options_.batch_size, std::min(room, options_.context_size));
  const bool splits = options_.splits && !rank;
  const int64_t batch = splits ? options_.batch_size : most;
  const int64_t cells = options_.splits ? most : 0;
  if (context_ && context_->options().rank == rank && context_->options().batch_size >= batch &&
      context_->options().cells >= cells) {
    return;
  }
  context_.reset();  // the old one's memory first
  context_ = std::make_unique<EmbeddingContext>(model_,
                                                EmbeddingContextOptions{.rank = rank,
                                                                        .batch_size = batch,
                                                                        .cells = cells,
                                                                        .max_inputs = options_.max_inputs,
                                                                        .threads = options_.threads,
                                                                        .flash_attention = options_.flash_attention,
                                                                        .own_kernels = options_.own_kernels},
                                                [this] { return ShouldAbort(); });
}

void Embedder::Collect(const Step& step) {
  const size_t width = context_->width();
  int64_t inputs = 0;
  size_t row = 0;
  for (size_t i = 0; i < step.shares.size(); i++) {
    const auto& [task, piece, length] = step.shares[i];
    if (!task->pooler) task->pooler.emplace(task->request.pooling, width);
    if (task->rank()) {
      task->pooler->Add(context_->ScoreRow(i));
    } else {
      for (size_t token = 0; token < piece.tokens.size(); token++) task->pooler->Add(context_->TokenRow(row + token));
    }
    row += piece.tokens.size();
    task->computed = piece.from + static_cast<int64_t>(piece.tokens.size());
    if (task->computed < length) continue;
    task->FinishInput(width);
    inputs++;
  }
  const std::lock_guard lock(mutex_);
  stats_.inputs += inputs;
  stats_.tokens += static_cast<int64_t>(row);
}

bool Embedder::ShouldAbort() const {
  return closing_ ||
         std::all_of(participants_.begin(), participants_.end(), [](const auto& task) { return task->cancelled(); });
}

void Embedder::Settle(const std::shared_ptr<Task>& task, std::exception_ptr failure) {
  {
    const std::lock_guard lock(mutex_);
    std::erase(queue_, task);
  }
  if (failure) {
    task->promise.set_exception(failure);
  } else {
    task->promise.set_value(std::move(task->result));
  }
}

}  // namespace llamero
