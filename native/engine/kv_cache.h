#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/disk_tier.h"
#include "engine/prefix_tree.h"
#include "engine/snapshot_store.h"

namespace llamero {

struct KvCacheOptions {
  /// Most tokens that are kept in cells for nobody in particular while others run; beyond it those of the latest request
  /// stay until one begins that does not go on from them. Upstream's attention visits masked cells too: on a CPU 1,000 of
  /// them cost a decode some 3 % of its rate, and a prefill as much as 1,000 tokens of its own.
  int64_t idle_limit = 0;
  /// Main memory for what gives way, and for checkpoints.
  int64_t snapshot_bytes = 0;
  /// Where it goes when others need that; nowhere if its directory is ''.
  DiskTierOptions disk = {};
};

/// The context's cells as requests use them: slots for those that run, and the prefixes of those that have ended, kept
/// until the room is needed. A request that begins like another one starts from its cells, also while that one runs.
///
/// Three tiers: what gives way in the cells goes to main memory as a snapshot, and comes back when a request begins with
/// it; what gives way there goes to disk, if one is given, and comes back by way of main memory. Models whose memory can't be cut (Context::Memory) leave checkpoints on their way, at which a request can start
/// that shares only a beginning.
///
/// Lives on the engine thread. kv_cache.cc has the slots, kv_tiers.cc what lies in main memory, kv_disk.cc
/// what lies on disk, kv_sessions.cc sessions.
class KvCache {
 public:
  /// `on_disk` comes from another thread when TakeFetched may have something. Throws Failure: ERR_OUT_OF_MEMORY.
  KvCache(Context& context, const KvCacheOptions& options, std::function<void()> on_disk);

  /// Where a request can start.
  struct Hit {
    int64_t length = 0;  // tokens that need not be computed
    int64_t live = 0;    // of these, tokens whose cells a running request holds: they are taken already
    PrefixTree::Holder holder = PrefixTree::kNobody;      // who holds them in cells
    SnapshotStore::Id snapshot = SnapshotStore::kNone;    // or what holds them in main memory
    SnapshotStore::Id checkpoint = SnapshotStore::kNone;  // what else is needed to start there
    int64_t in_cells = 0;                                 // as `length`, if there were no main memory
  };
  /// What of `tokens` lies computed already, all but the last token at most: its row must be computed to go on.
  Hit Find(const std::string& root, std::span<const llama_token> tokens) const;
  /// Whether a request may start from less than the whole hit.
  bool can_shorten() const { return context_.memory() == Context::Memory::kPlain; }
  /// A slot for a request of that session (0: none) that starts from `hit`, which was found since the last change.
  /// Nothing if llama.cpp did not take back the state; it is gone then, and another Find tells what else there is.
  std::optional<llama_seq_id> Begin(const std::string& root, std::span<const llama_token> tokens, const Hit& hit,
                                    int64_t session);
  /// The slot's next tokens are computed.
  void Extend(llama_seq_id slot, std::span<const llama_token> tokens);
  /// What llama.cpp may have computed beyond the tokens of a slot is dropped: after a decode that was cut short.
  void Settle(llama_seq_id slot);
  /// What the last decode computed behind the tokens of a slot, proposed ones that were not said, is dropped. REQUIRES: no
  /// more than the context can take back.
  void TakeBack(llama_seq_id slot) { context_.TakeBack(slot, Position(slot, tree_.Length(slot))); }
  /// The request has ended or was preempted: its tokens are kept as a prefix for others while there is room, or for its
  /// session, in place of what was kept for that before.
  void Release(llama_seq_id slot, int64_t session = 0);
  /// What llama.cpp may have computed of text behind the tokens of a slot is dropped, and nothing else. REQUIRES:
  /// Memory::kPlain.
  void DropRest(llama_seq_id slot);
  /// So many cells are taken by a decode that has begun and not ended; none of them is in the tree.
  void Reserve(int64_t cells) { reserved_ = cells; }
  /// Gives up prefixes until `cells` cells are free, or none is left.
  void MakeRoom(int64_t cells);
  /// A step begins: what is saved while requests run is bounded for each.
  void NextStep() { saved_in_step_ = 0; }
  /// Gives up all that is kept for nobody in particular, in both tiers.
  void DropLoose();
  /// Saves nothing from now on: the engine closes, or the context is broken.
  void StopSaving() { saving_ = false; }

  // Checkpoints: a prefill stops at the marks of its slot, and Extend saves the state there.
  void Mark(llama_seq_id slot, int64_t length);
  /// The first mark behind `length`; -1: none.
  int64_t NextMark(llama_seq_id slot, int64_t length) const;

  // The disk. A request that would begin with what lies there waits until it is in main memory.
  /// Has what lies on disk of `tokens` read, if it is worth it beside the `have` tokens that are nearer; kNone if not.
  DiskTier::Id Fetch(const std::string& root, std::span<const llama_token> tokens, int64_t have);
  bool IsFetching(DiskTier::Id id) const { return disk_ != nullptr && disk_->IsFetching(id); }
  /// Takes what was read into main memory.
  void TakeFetched();
  /// All that is kept for anybody leaves cells for main memory, and goes from there to disk. REQUIRES: nothing runs.
  void KeepOnDisk();
  /// Ends the disk's thread, once what waits was written or without.
  void StopDisk(bool write);

  /// Cells that the running requests use, and of these the ones that only this request uses.
  int64_t live_cells() const { return tree_.live_cells(); }
  int64_t OwnCells(llama_seq_id slot) const { return tree_.OwnCells(slot); }
  int64_t cells() const { return tree_.cells(); }
  int64_t free_cells() const { return capacity() - tree_.cells(); }

  struct Counters {
    int64_t evictions = 0;        // prefixes that gave way in the cells
    int64_t cell_hits = 0;        // requests that started from cells
    int64_t checkpoint_hits = 0;  // from a checkpoint
    int64_t memory_hits = 0;      // from a snapshot in main memory
    int64_t disk_hits = 0;        // snapshots that came back from disk
    int64_t saved = 0;            // snapshots and checkpoints made
  };
  const Counters& counters() const { return counters_; }
  const SnapshotStore& store() const { return store_; }
  int64_t disk_files() const { return disk_ ? disk_->files() : 0; }
  int64_t disk_bytes() const { return disk_ ? disk_->bytes() : 0; }

  // Sessions: prefixes that are kept for somebody. They go last, and only when nothing else gives room.
  /// Another name for what is kept under `session`; shares its cells. Returns whether there was anything.
  bool Fork(int64_t session, int64_t fork);
  /// Cuts what is kept to its first tokens; to fewer than asked if the memory can't be cut and the nearest checkpoint
  /// lies before.
  void Cut(int64_t session, int64_t length);
  void Forget(int64_t session);
  /// Tokens kept, in whichever tier; 0 if they had to give way.
  int64_t KeptTokens(int64_t session) const;
  struct Snapshot {
    std::vector<llama_token> tokens;
    std::vector<uint8_t> state;
  };
  std::optional<Snapshot> Save(int64_t session);
  /// Throws Failure: ERR_STATE_MISMATCH if llama.cpp refuses the state, ERR_CONTEXT_FULL if there is no room.
  void Restore(int64_t session, const std::string& root, std::span<const llama_token> tokens,
               std::span<const uint8_t> state);

 private:
  static constexpr llama_seq_id kNoSlot = -1;

  /// Where a session's tokens lie: in a slot, or in the first `length` tokens of a snapshot.
  struct Kept {
    llama_seq_id slot = kNoSlot;
    SnapshotStore::Id snapshot = SnapshotStore::kNone;
    int64_t length = 0;
  };

  int64_t capacity() const { return context_.options().cells - reserved_; }
  std::optional<llama_seq_id> Occupy(const std::string& root, std::span<const llama_token> tokens, const Hit& hit,
                                     int64_t session);
  llama_seq_id OccupyCells(const Hit& hit, int64_t session);
  bool MayTakeOver(const Hit& hit, int64_t session) const;
  llama_seq_id TakeSlot(llama_seq_id spare);
  /// The same without regard to media.
  Hit FindAny(const std::string& root, std::span<const llama_token> tokens) const;
  /// Where llama.cpp has what follows the first `length` tokens of a slot.
  int64_t Position(llama_seq_id slot, int64_t length) const;
  /// One more than the position of the last token.
  int64_t Extent(std::span<const llama_token> tokens) const;
  /// Whether llama.cpp has the slot's tokens and nothing behind them.
  bool IsExact(llama_seq_id slot) const;
  void Evict(llama_seq_id slot);
  void Free(llama_seq_id slot);
  /// Gives up the oldest of what is kept for nobody until the limit is met or so many are left.
  void TrimIdle(size_t spared);
  bool CanStart(PrefixTree::Holder holder, int64_t length) const;

  // kv_tiers.cc
  Hit FindCheckpoint(const std::string& root, std::span<const llama_token> tokens) const;
  Hit FindSnapshot(const std::string& root, std::span<const llama_token> tokens) const;
  std::optional<llama_seq_id> OccupyCheckpoint(const std::string& root, std::span<const llama_token> tokens,
                                               const Hit& hit);
  std::optional<llama_seq_id> OccupySnapshot(const std::string& root, std::span<const llama_token> tokens,
                                             const Hit& hit);
  void PlaceMarks(llama_seq_id slot, const std::string& root, std::span<const llama_token> tokens, int64_t begin);
  SnapshotStore::Id TakeCheckpoint(llama_seq_id slot, bool pinned = false);
  void Stash(llama_seq_id slot);
  SnapshotStore::Id SaveWhole(llama_seq_id slot, bool pinned);
  void ReplaceBeginnings(SnapshotStore::Id snapshot);

  // kv_disk.cc
  SnapshotStore::Kind DiskKind() const;
  void ToDisk(SnapshotStore::Id id, int64_t most_waiting);

  // kv_sessions.cc
  void Keep(int64_t session, const Kept& kept);
  void MoveSessions(llama_seq_id slot, SnapshotStore::Id snapshot);
  bool Awake(int64_t session);
  bool IsKept(llama_seq_id slot) const;

  Context& context_;
  KvCacheOptions options_;
  PrefixTree tree_;
  std::unique_ptr<DiskTier> disk_;
  SnapshotStore store_;
  std::vector<llama_seq_id> free_slots_;
  std::map<int64_t, Kept> sessions_;
  std::map<llama_seq_id, std::set<int64_t>> marks_;
  int64_t reserved_ = 0;          // cells
  int64_t checkpoint_bytes_ = 0;  // of the latest one
  int64_t saved_in_step_ = 0;     // bytes
  bool saving_ = true;
  Counters counters_;
};

}  // namespace llamero
