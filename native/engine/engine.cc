#include "engine/engine.h"

#include <algorithm>

#include "failure.h"

namespace llamero {
namespace {

// Between the requests of one turn of the event loop lie some 50 µs, with texts to be taken apart some 300; as soon as a
// step runs, its threads take the cores that the event loop needs, and the next one comes milliseconds later.
constexpr auto kGather = std::chrono::microseconds(600);
constexpr auto kGatherMost = std::chrono::milliseconds(5);

const char* const kClosed = "The model was closed; load it again to generate.";

}  // namespace

Engine::Engine(std::shared_ptr<const Model> model, std::shared_ptr<const Model> draft_model,
               const EngineOptions& options)
    : options_(options),
      gathers_(model->gpu_layers() == 0),
      loop_(std::make_unique<Loop>(
          std::move(model), std::move(draft_model), options.loop, abort_,
          Loop::Hooks{.before_decode = [this](std::vector<int64_t> ids) { BeforeDecode(std::move(ids)); },
                      .after_decode = [this] { AfterDecode(); },
                      .publish = [this](std::vector<News> news) { Publish(std::move(news)); },
                      .on_disk = [this] { Post([](Loop& loop) { loop.TakeFromDisk(); }); }})),
      context_options_(loop_->context_options()),
      stats_(loop_->Stats()) {}

Engine::~Engine() { Close(); }

void Engine::Start(std::function<void()> wake) {
  wake_ = std::move(wake);
  thread_ = std::make_unique<Thread>([this] { Run(); });
}

int64_t Engine::Submit(Request request) {
  const std::lock_guard lock(mutex_);
  if (closing_) throw Failure("ERR_DISPOSED", kClosed);
  const int64_t places = context_options_.max_sequences + options_.queue_limit;
  if (static_cast<int64_t>(live_.size()) >= places) {
    throw Failure("ERR_QUEUE_FULL", std::to_string(live_.size()) + " requests are running or waiting, the limit is " +
                                        std::to_string(places) + "; wait for some to end or raise queueLimit.");
  }
  const int64_t id = next_id_++;
  live_.insert(id);
  active_ = true;
  const auto submitted = Clock::now();
  commands_.push_back([id, submitted, request = std::move(request)](Loop& loop) mutable {
    loop.Submit(id, std::move(request), submitted);
  });
  changed_.notify_one();
  return id;
}

bool Engine::Cancel(int64_t id) {
  const std::lock_guard lock(mutex_);
  if (!live_.contains(id)) return false;
  cancelled_.insert(id);
  commands_.push_back([id](Loop& loop) { loop.Cancel(id); });
  active_ = true;
  if (AllCancelled()) abort_ = true;  // E3
  changed_.notify_one();
  return true;
}

/// REQUIRES: mutex_ is held.
bool Engine::AllCancelled() const {
  const auto is_cancelled = [&](int64_t participant) { return cancelled_.contains(participant); };
  return !participants_.empty() && std::all_of(participants_.begin(), participants_.end(), is_cancelled);
}

void Engine::Acknowledge(int64_t id, int64_t tokens) {
  Post([id, tokens](Loop& loop) { loop.Acknowledge(id, tokens); });
}

void Engine::Post(Command command) {
  const std::lock_guard lock(mutex_);
  commands_.push_back(std::move(command));
  active_ = true;
  changed_.notify_one();
}

void Engine::PostIfOpen(Command command) {
  const std::lock_guard lock(mutex_);
  if (closing_) throw Failure("ERR_DISPOSED", kClosed);
  commands_.push_back(std::move(command));
  active_ = true;
  changed_.notify_one();
}

EngineStats Engine::Stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void Engine::Stop(bool keep) {
  const std::lock_guard lock(mutex_);
  if (!closing_) keep_ = keep;
  closing_ = true;
  abort_ = true;
  changed_.notify_one();
}

void Engine::Close() {
  const std::lock_guard closing(close_mutex_);  // E4: a second caller waits for the first
  Stop();
  if (thread_) thread_->Join();
  thread_.reset();
  loop_.reset();  // E8
}

void Engine::Run() {
  while (true) {
    std::deque<Command> commands;
    {
      std::unique_lock lock(mutex_);
      if (commands_.empty() && !closing_ && !loop_->HasWork()) {
        active_ = loop_->AwaitsDisk();
        loop_->Pause();
        // JavaScript decides on a wake whether the event loop must stay alive.
        if (wake_) wake_();
        const auto awake = [&] { return closing_ || !commands_.empty(); };
        // A parked request can still run out of time. Waiting until max() would overflow in some libraries.
        if (const auto deadline = loop_->NextDeadline(); deadline == Clock::time_point::max()) {
          changed_.wait(lock, awake);
        } else {
          changed_.wait_until(lock, deadline, awake);
        }
      }
      if (gathers_ && !loop_->HasWork()) Gather(lock);
      if (closing_) break;
      commands.swap(commands_);
      taken_id_ = next_id_;
    }
    for (const Command& command : commands) Guarded(command);  // E2
    Guarded([](Loop& loop) {
      loop.EndLate();
      if (loop.HasWork()) loop.Step();
      if (!loop.HasWork()) loop.Rest();
    });
    Snapshot();
  }
  std::deque<Command> rest;
  bool keep = false;
  {
    const std::lock_guard lock(mutex_);
    rest.swap(commands_);
    keep = keep_;
  }
  for (const Command& command : rest) Guarded(command);
  loop_->EndAll("ERR_DISPOSED", "The model was closed while this request was running.");
  if (keep) Guarded([](Loop& loop) { loop.KeepOnDisk(); });
  loop_->cache().StopDisk(keep);  // E7
  Snapshot();
  active_ = false;
}

void Engine::Gather(std::unique_lock<std::mutex>& lock) {  // E9
  const auto latest = Clock::now() + kGatherMost;
  for (int64_t seen = taken_id_; next_id_ != seen && Clock::now() < latest && !closing_;) {
    seen = next_id_;
    const auto until = std::min(latest, Clock::now() + kGather);
    changed_.wait_until(lock, until, [&] { return closing_ || next_id_ != seen; });
  }
}

void Engine::Guarded(const Command& command) {  // E6
  try {
    command(*loop_);
  } catch (...) {
    const Failure failure = CurrentFailure("ERR_ENGINE_CRASHED");
    loop_->Break(failure.code(), failure.what());
  }
}

void Engine::BeforeDecode(std::vector<int64_t> participants) {
  if (participants != last_participants_) Tell();  // the step may take much longer than the last one
  last_participants_ = participants;
  const std::lock_guard lock(mutex_);
  participants_ = std::move(participants);
  if (AllCancelled()) abort_ = true;  // E3: they were cancelled after the plan was made
}

void Engine::AfterDecode() {
  const std::lock_guard lock(mutex_);
  participants_.clear();
  if (!closing_) abort_ = false;
}

void Engine::Publish(std::vector<News> news) {
  Snapshot();  // whoever is told sees figures that include what he is told
  {
    const std::lock_guard lock(mutex_);
    for (const News& one : news) {
      if (!one.finish) continue;
      live_.erase(one.id);
      cancelled_.erase(one.id);
    }
  }
  constexpr double kPaceMs = 16;
  const bool urgent = std::any_of(news.begin(), news.end(), [](const News& one) { return one.urgent; });
  outbox_.Add(std::move(news));
  if (urgent || MillisecondsBetween(told_, Clock::now()) >= kPaceMs) Tell();
}

void Engine::Tell() {  // E5
  if (!outbox_.ClaimWake()) return;
  told_ = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    deliveries_++;
  }
  if (wake_) wake_();
}

void Engine::Snapshot() {
  EngineStats stats = loop_->Stats();
  const std::lock_guard lock(mutex_);
  stats.deliveries = deliveries_;
  stats_ = stats;
}

}  // namespace llamero
