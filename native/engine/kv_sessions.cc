#include <algorithm>

#include "engine/kv_cache.h"
#include "engine/media_run.h"
#include "failure.h"

namespace llamero {

bool KvCache::IsKept(llama_seq_id slot) const {
  return std::any_of(sessions_.begin(), sessions_.end(), [&](const auto& entry) { return entry.second.slot == slot; });
}

void KvCache::Keep(int64_t session, const Kept& kept) {
  if (kept.snapshot != SnapshotStore::kNone) store_.Pin(kept.snapshot);  // before what it replaces is given up
  if (kept.slot != kNoSlot) tree_.Pin(kept.slot, true);
  const auto before = sessions_.find(session);
  const bool same = before != sessions_.end() && before->second.slot == kept.slot && kept.slot != kNoSlot;
  if (!same) Forget(session);
  sessions_[session] = kept;
}

void KvCache::Forget(int64_t session) {
  const auto position = sessions_.find(session);
  if (position == sessions_.end()) return;
  const Kept kept = position->second;
  sessions_.erase(position);
  store_.Unpin(kept.snapshot);
  if (kept.slot == kNoSlot) return;
  tree_.Pin(kept.slot, IsKept(kept.slot));
  TrimIdle(1);
}

/// The sessions of a slot that is given up go on from a snapshot of it, or have nothing.
void KvCache::MoveSessions(llama_seq_id slot, SnapshotStore::Id snapshot) {
  for (auto position = sessions_.begin(); position != sessions_.end();) {
    Kept& kept = position->second;
    if (kept.slot != slot) {
      ++position;
    } else if (snapshot == SnapshotStore::kNone) {
      position = sessions_.erase(position);
    } else {
      kept = {.snapshot = snapshot, .length = tree_.Length(slot)};
      store_.Pin(snapshot);
      ++position;
    }
  }
  if (tree_.Contains(slot)) tree_.Pin(slot, false);
}

int64_t KvCache::KeptTokens(int64_t session) const {
  const auto position = sessions_.find(session);
  if (position == sessions_.end()) return 0;
  const Kept& kept = position->second;
  if (kept.slot != kNoSlot) return tree_.Length(kept.slot);
  return store_.Contains(kept.snapshot) ? kept.length : 0;
}

/// Brings a session back into cells. False if it has nothing, or the running requests leave no room or slot.
bool KvCache::Awake(int64_t session) {
  if (KeptTokens(session) == 0) return false;
  const Kept kept = sessions_.at(session);
  if (kept.slot != kNoSlot) return true;
  if (free_slots_.empty() && !tree_.Oldest(true)) return false;
  const bool recurrent = context_.memory() == Context::Memory::kRecurrent;
  const std::string root = store_.RootOf(kept.snapshot);
  std::vector<llama_token> tokens = store_.TokensOf(kept.snapshot);
  if (capacity() - tree_.live_cells() < static_cast<int64_t>(tokens.size())) return false;
  tokens.resize(kept.length);
  Hit hit{.length = kept.length};
  (recurrent ? hit.checkpoint : hit.snapshot) = kept.snapshot;
  const auto slot = recurrent ? OccupyCheckpoint(root, tokens, hit) : OccupySnapshot(root, tokens, hit);
  if (!slot) return false;
  tree_.Rest(*slot);
  Keep(session, {.slot = *slot});
  return true;
}

bool KvCache::Fork(int64_t session, int64_t fork) {
  const int64_t length = KeptTokens(session);
  if (length == 0) return false;
  if (session == fork) return true;
  const Kept kept = sessions_.at(session);
  if (kept.slot == kNoSlot) {
    Keep(fork, kept);
    return true;
  }
  const llama_seq_id slot = TakeSlot(kept.slot);
  if (slot == kept.slot) return false;
  context_.Share(kept.slot, slot, Position(kept.slot, length));
  tree_.Attach(slot, kept.slot, length);
  tree_.Rest(slot);
  Keep(fork, {.slot = slot});
  return true;
}

void KvCache::Cut(int64_t session, int64_t length) {
  if (length >= KeptTokens(session)) return;
  if (length == 0) return Forget(session);
  if (sessions_.at(session).slot == kNoSlot && can_shorten()) {
    sessions_.at(session).length = length;
    return;
  }
  if (!Awake(session)) return Forget(session);
  const llama_seq_id slot = sessions_.at(session).slot;
  const std::vector<llama_token> tokens = tree_.TokensOf(slot);
  length = WholeLength(tokens, length);
  if (length == 0) return Forget(session);
  if (!context_.CanCut(slot, Position(slot, length))) {
    const auto checkpoint =
        store_.FindWithin(SnapshotStore::Kind::kCheckpoint, tree_.RootOf(slot), std::span(tokens).first(length));
    if (checkpoint.id == SnapshotStore::kNone) return Forget(session);
    length = checkpoint.length;
    const SnapshotStore::State state = store_.StateOf(checkpoint.id);
    const int64_t extent = Extent(std::span(tokens).first(length));
    if (!context_.RestoreSlot(slot, *state, extent, Context::Part::kCheckpoint)) return Free(slot);
  }
  context_.Truncate(slot, Position(slot, length));
  tree_.Truncate(slot, length);
}

std::optional<KvCache::Snapshot> KvCache::Save(int64_t session) {
  if (!Awake(session)) return std::nullopt;
  const llama_seq_id slot = sessions_.at(session).slot;
  return Snapshot{tree_.TokensOf(slot), context_.SaveSlot(slot)};
}

void KvCache::Restore(int64_t session, const std::string& root, std::span<const llama_token> tokens,
                      std::span<const uint8_t> state) {
  const auto count = static_cast<int64_t>(tokens.size());
  MakeRoom(count);
  const bool has_slot = !free_slots_.empty() || tree_.Oldest(true);
  if (!has_slot || free_cells() < count) {
    throw Failure("ERR_CONTEXT_FULL", "The running requests leave no room for the session's " + std::to_string(count) +
                                          " tokens; wait for some to end.");
  }
  const llama_seq_id slot = TakeSlot(PrefixTree::kNobody);
  tree_.Attach(slot, root);
  if (!context_.RestoreSlot(slot, state, Extent(tokens))) {
    Free(slot);
    throw Failure("ERR_STATE_MISMATCH", "llama.cpp refused the saved state; it was made by another model or build.");
  }
  tree_.Append(slot, tokens);
  tree_.Rest(slot);
  Keep(session, {.slot = slot});
}

}  // namespace llamero
