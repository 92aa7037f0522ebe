#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "engine/loop.h"
#include "engine/news.h"
#include "model.h"
#include "thread.h"

namespace llamero {

struct EngineOptions {
  LoopOptions loop;
  int64_t queue_limit = 512;
};

/// A context with its own thread: requests go in from any thread, news come out through an outbox.
///
/// Rules of threads and teardown, cited below:
/// E1  Only the engine thread touches the loop after construction.
/// E2  Commands are applied between two steps, all of them: a cancelled sequence takes part in no further decode.
/// E3  A decode is cut short only when every sequence in it was cancelled, or the engine closes.
/// E4  From Stop on nothing is accepted. The requests end with ERR_DISPOSED; Close also joins the thread. Both are
///     idempotent.
/// E5  `wake` comes from the engine thread and must not block. What nobody waits for is told at most every 16 ms, or
///     before a step of other sequences: the event loop runs on the cores that the compute threads spin on, and a wake
///     costs some 0.1 ms of them (measured: 2 to 3 % of the rate at 300 tokens/s when every step wakes it).
/// E6  What a command or a step throws breaks the engine, not the process.
/// E7  The disk's thread only posts commands, and ends before the engine's thread does.
/// E8  Close frees the loop, and with it what holds the weights: whoever waits for OnCache still has the engine for a
///     while.
/// E9  An engine that has nothing to compute, and computes on the CPU, takes up a request when no other has followed it for
///     0.6 ms, after 5 ms at the latest: what a program asks at once is computed at once, not the first alone and the
///     others beside its stream.
class Engine {
 public:
  /// Throws Failure as Context and DraftModel do; `draft_model` may be absent, or be a trained head alone.
  Engine(std::shared_ptr<const Model> model, std::shared_ptr<const Model> draft_model, const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Starts the thread. `wake` is called when the outbox has news and nobody has been told yet.
  void Start(std::function<void()> wake);

  /// Throws Failure: ERR_QUEUE_FULL, ERR_DISPOSED.
  int64_t Submit(Request request);
  /// False if that request has ended or never was: then nothing follows from the call.
  bool Cancel(int64_t id);
  void Acknowledge(int64_t id, int64_t tokens);
  /// Has it look once whether an adapter was closed that it still holds.
  void LetGoOfAdapters() {
    Post([](Loop&) {});
  }
  std::vector<News> TakeNews() { return outbox_.Take(); }

  /// Runs `use` on the engine thread between two steps and waits for it. Throws what it throws, or Failure:
  /// ERR_DISPOSED when the engine closes first. When it returns, Stats() includes what it did. REQUIRES: not called on the
  /// JavaScript or the engine thread.
  template <typename Use>
  auto OnCache(Use use) -> decltype(use(std::declval<KvCache&>())) {
    using Result = decltype(use(std::declval<KvCache&>()));
    const auto promise = std::make_shared<std::promise<Result>>();
    std::future<Result> future = promise->get_future();
    PostIfOpen([this, promise, use = std::move(use)](Loop& loop) mutable {
      try {
        Result result = use(loop.cache());
        Snapshot();
        promise->set_value(std::move(result));
      } catch (...) {
        promise->set_exception(std::current_exception());
      }
    });
    return future.get();
  }
  bool has_news() const { return outbox_.has_news(); }

  const ContextOptions& context_options() const { return context_options_; }
  EngineStats Stats() const;
  /// Whether something is running or waiting to run; parked sequences wait for their readers.
  bool active() const { return active_; }
  /// With `keep`, unless it closes already, what is computed goes to disk before the thread ends, if there is one.
  void Stop(bool keep = false);
  /// REQUIRES: not called on the engine thread.
  void Close();

 private:
  using Command = std::function<void(Loop&)>;

  void Run();
  /// If something was submitted, waits for what is submitted together with it. REQUIRES: the lock is held.
  void Gather(std::unique_lock<std::mutex>& lock);
  void Guarded(const Command& command);
  bool AllCancelled() const;
  void Post(Command command);
  /// Throws Failure: ERR_DISPOSED. In one step: what is posted after the engine's thread has ended is never run.
  void PostIfOpen(Command command);
  void BeforeDecode(std::vector<int64_t> participants);
  void AfterDecode();
  void Publish(std::vector<News> news);
  void Tell();
  void Snapshot();

  EngineOptions options_;
  bool gathers_;
  std::atomic<bool> abort_ = false;
  std::unique_ptr<Loop> loop_;  // until Close
  ContextOptions context_options_;
  Outbox outbox_;
  std::function<void()> wake_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Command> commands_;
  std::set<int64_t> live_;
  std::set<int64_t> cancelled_;
  std::vector<int64_t> participants_;
  std::vector<int64_t> last_participants_;
  Clock::time_point told_{};
  EngineStats stats_;
  int64_t deliveries_ = 0;
  int64_t next_id_ = 1;
  int64_t taken_id_ = 1;  // what was submitted before it has gone to the loop
  bool closing_ = false;
  bool keep_ = false;
  std::atomic<bool> active_ = false;

  std::mutex close_mutex_;
  std::unique_ptr<Thread> thread_;
};

}  // namespace llamero
