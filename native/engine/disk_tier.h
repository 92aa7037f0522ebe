#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/prefix_tree.h"
#include "engine/snapshot_file.h"
#include "engine/snapshot_store.h"
#include "thread.h"

namespace llamero {

struct DiskTierOptions {
  std::string directory;    // exists
  std::string fingerprint;  // what states are computed by; those of others are of no use here
  int64_t bytes = 0;        // of all snapshots in the directory, whoever wrote them
};

/// Snapshots that main memory had no room for, as files that outlast the process.
///
/// Files are read, written and removed by a thread of the tier: a disk may take seconds, and the engine's thread has
/// streams to serve. The engine's thread knows what lies on disk (an index of tokens) and
/// learns what has become of its jobs from Settle.
///
/// Processes may share a directory: a file appears whole, under a name that nobody else has; the least recently used one
/// goes first, whoever wrote it; and one that is gone or damaged when it is read is a miss.
class DiskTier {
 public:
  using Id = PrefixTree::Holder;
  using Token = PrefixTree::Token;
  static constexpr Id kNone = PrefixTree::kNobody;

  /// Reads what lies there, and removes what is damaged of it. `on_done` comes from the tier's thread, once per job.
  /// Throws Failure: ERR_OUT_OF_MEMORY.
  DiskTier(const DiskTierOptions& options, std::function<void()> on_done);
  ~DiskTier();

  struct Match {
    Id id = kNone;
    int64_t length = 0;  // tokens in common
  };
  /// The longest common beginning with a file; with a whole one if `whole`.
  Match Find(const std::string& root, std::span<const Token> tokens, bool whole) const;
  /// The same, with those that are still to be written.
  int64_t Known(const std::string& root, std::span<const Token> tokens, bool whole) const;
  /// What it takes in main memory.
  int64_t BytesOf(Id id) const;

  /// Has it written. What waits to be written takes main memory, so beyond `most_waiting` bytes the snapshot is lost. It
  /// replaces files of its beginnings if `replaces`.
  void Put(const std::string& root, std::vector<Token> tokens, SnapshotStore::State state, bool replaces,
           int64_t most_waiting);
  /// Has it read; once at a time.
  void Fetch(Id id);
  bool IsFetching(Id id) const { return fetching_.contains(id); }

  struct Fetched {
    std::string root;
    std::vector<Token> tokens;
    std::vector<uint8_t> state;
  };
  /// What was read since the last call. What jobs have changed shows from now on.
  std::vector<Fetched> Settle();

  /// Ends the thread, after what waits to be written was written, or without.
  void Stop(bool write);

  int64_t budget() const { return options_.bytes; }
  int64_t files() const { return files_; }
  int64_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::filesystem::path path;
    int64_t state_bytes = 0;
    int64_t file_bytes = 0;
    bool written = false;
  };
  struct News {
    int64_t written = 0;                        // bytes of its file
    std::optional<std::vector<uint8_t>> state;  // it was read
    std::vector<std::filesystem::path> gone;    // files that gave way to it, or that it replaces
  };
  struct Writing {
    std::filesystem::path path;
    SnapshotHead head;
    SnapshotStore::State state;
    std::vector<std::filesystem::path> replaced;
  };
  struct Job {
    Id id = kNone;
    int64_t waiting_bytes = 0;
    std::function<News()> run;
  };

  void Scan();
  Id Enter(const std::string& root, std::span<const Token> tokens, Entry entry);
  void Drop(Id id);
  void OnWritten(Id id, int64_t bytes);
  void Start(std::deque<Job>& queue, Job job);
  void Run();
  News Write(const Writing& writing) const;
  std::vector<std::filesystem::path> MakeRoom(int64_t bytes) const;

  DiskTierOptions options_;
  std::string prefix_;  // of the names of our files
  std::function<void()> on_done_;

  // The engine's thread.
  PrefixTree index_;  // holders are files
  std::map<Id, Entry> entries_;
  std::set<Id> fetching_;
  Id last_ = 0;
  int64_t files_ = 0;
  int64_t bytes_ = 0;

  // Both.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> reads_;
  std::deque<Job> writes_;
  std::vector<std::pair<Id, News>> news_;
  std::atomic<int64_t> waiting_bytes_ = 0;
  bool stopping_ = false;
  std::unique_ptr<Thread> thread_;
};

}  // namespace llamero
