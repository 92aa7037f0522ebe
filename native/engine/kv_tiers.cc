#include <algorithm>

#include "engine/kv_cache.h"

namespace llamero {
namespace {

// Computed tokens that main memory must save to be worth a copy.
constexpr int64_t kWorthSaving = 64;
// While requests run a step waits for no more than this, some 20 ms of copying; what goes beyond is lost.
constexpr int64_t kMostSavedInStep = int64_t{64} << 20;
// Tokens between the checkpoints of a long prompt, at least.
constexpr int64_t kCheckpointInterval = 512;

int64_t Bytes(std::span<const llama_token> tokens) { return static_cast<int64_t>(tokens.size_bytes()); }

}  // namespace

/// A checkpoint of the tokens with the cells that belong to it.
KvCache::Hit KvCache::FindCheckpoint(const std::string& root, std::span<const llama_token> tokens) const {
  if (context_.memory() == Context::Memory::kPlain) return {};
  if (context_.memory() == Context::Memory::kRecurrent) {
    const auto found = store_.FindWithin(SnapshotStore::Kind::kCheckpoint, root, tokens);
    return {.length = found.length, .checkpoint = found.id};
  }
  const PrefixTree::Hit cells = tree_.Find(root, tokens);
  const auto found = store_.FindWithin(SnapshotStore::Kind::kCheckpoint, root, tokens.first(cells.length));
  return {.length = found.length,
          .live = std::min(cells.live, found.length),
          .holder = cells.holder,
          .checkpoint = found.id};
}

/// A snapshot that fits beside the running requests, with a checkpoint if only a beginning of it is of use.
KvCache::Hit KvCache::FindSnapshot(const std::string& root, std::span<const llama_token> tokens) const {
  const int64_t room = capacity() - tree_.live_cells();
  const auto fits = [&](SnapshotStore::Id id, int64_t) { return store_.Length(id) <= room; };
  const auto longest = store_.Find(SnapshotStore::Kind::kWhole, root, tokens, fits);
  if (longest.length == 0) return {};
  if (context_.memory() == Context::Memory::kPlain) return {.length = longest.length, .snapshot = longest.id};
  const auto whole = store_.Find(SnapshotStore::Kind::kWhole, root, tokens, [&](SnapshotStore::Id id, int64_t length) {
    return store_.Length(id) == length && length <= room;
  });
  const auto part = store_.FindWithin(SnapshotStore::Kind::kCheckpoint, root, tokens.first(longest.length));
  if (whole.length >= part.length) return {.length = whole.length, .snapshot = whole.id};
  return {.length = part.length, .snapshot = longest.id, .checkpoint = part.id};
}

std::optional<llama_seq_id> KvCache::OccupyCheckpoint(const std::string& root, std::span<const llama_token> tokens,
                                                      const Hit& hit) {
  const SnapshotStore::State state = store_.StateOf(hit.checkpoint);  // a slot may be taken at the store's expense
  const auto length = static_cast<int64_t>(tokens.size());
  store_.Touch(hit.checkpoint);
  const bool has_cells = hit.holder != PrefixTree::kNobody;
  if (has_cells) tree_.Touch(hit.holder);
  const llama_seq_id slot = TakeSlot(hit.holder);
  const bool in_place = slot == hit.holder;
  if (in_place) {
    Stash(slot);
    MoveSessions(slot, SnapshotStore::kNone);
  } else if (has_cells) {
    context_.Share(hit.holder, slot, Position(hit.holder, length));
  }
  if (!context_.RestoreSlot(slot, *state, Extent(tokens), Context::Part::kCheckpoint)) {
    store_.Remove(hit.checkpoint);
    if (!in_place) tree_.Attach(slot, root);
    Free(slot);
    return std::nullopt;
  }
  if (in_place) {
    context_.Truncate(slot, Position(slot, length));
    tree_.Truncate(slot, length);
    tree_.Wake(slot);
  } else if (has_cells) {
    tree_.Attach(slot, hit.holder, length);
  } else {
    tree_.Attach(slot, root);
    tree_.Append(slot, tokens);
  }
  return slot;
}

std::optional<llama_seq_id> KvCache::OccupySnapshot(const std::string& root, std::span<const llama_token> tokens,
                                                    const Hit& hit) {
  const SnapshotStore::State state = store_.StateOf(hit.snapshot);
  const bool has_checkpoint = hit.checkpoint != SnapshotStore::kNone;
  const SnapshotStore::State checkpoint = has_checkpoint ? store_.StateOf(hit.checkpoint) : nullptr;
  const std::vector<llama_token> whole = store_.TokensOf(hit.snapshot);
  const auto length = static_cast<int64_t>(tokens.size());
  store_.Touch(hit.snapshot);
  MakeRoom(static_cast<int64_t>(whole.size()));
  const llama_seq_id slot = TakeSlot(PrefixTree::kNobody);
  tree_.Attach(slot, root);
  const bool taken =
      context_.RestoreSlot(slot, *state, Extent(whole)) &&
      (!has_checkpoint || context_.RestoreSlot(slot, *checkpoint, Extent(tokens), Context::Part::kCheckpoint));
  if (!taken) {
    store_.Remove(hit.snapshot);
    Free(slot);
    return std::nullopt;
  }
  tree_.Append(slot, tokens);
  const bool all = length == static_cast<int64_t>(whole.size());
  if (!all) context_.Truncate(slot, Position(slot, length));
  if (!has_checkpoint && all) TakeCheckpoint(slot);
  return slot;
}

/// Where the request leaves the path of another one, where a like one would start, and now and then between.
void KvCache::PlaceMarks(llama_seq_id slot, const std::string& root, std::span<const llama_token> tokens,
                         int64_t begin) {
  marks_.erase(slot);
  const Context::Memory memory = context_.memory();
  if (memory == Context::Memory::kPlain || store_.budget() == 0) return;
  const auto last = static_cast<int64_t>(tokens.size()) - 1;
  tokens = tokens.first(last);
  const auto others = [&](PrefixTree::Holder holder, int64_t) { return holder != slot; };
  Mark(slot, tree_.Find(root, tokens, others).length);
  Mark(slot, store_.Find(SnapshotStore::Kind::kWhole, root, tokens).length);
  Mark(slot, store_.Find(SnapshotStore::Kind::kCheckpoint, root, tokens).length);
  if (memory != Context::Memory::kWindowed) Mark(slot, last);
  int64_t interval = kCheckpointInterval;
  while (context_.options().cells / interval * checkpoint_bytes_ > store_.budget() / 4) interval *= 2;
  for (int64_t length = (begin / interval + 1) * interval; length < last; length += interval) Mark(slot, length);
}

void KvCache::Mark(llama_seq_id slot, int64_t length) {
  if (context_.memory() == Context::Memory::kPlain || length < kWorthSaving) return;
  if (length > tree_.Length(slot)) marks_[slot].insert(length);
}

int64_t KvCache::NextMark(llama_seq_id slot, int64_t length) const {
  const auto marks = marks_.find(slot);
  if (marks == marks_.end()) return -1;
  const auto next = marks->second.upper_bound(length);
  return next == marks->second.end() ? -1 : *next;
}

/// Saves what can't be cut of a slot as it is now.
SnapshotStore::Id KvCache::TakeCheckpoint(llama_seq_id slot, bool pinned) {
  const int64_t length = tree_.Length(slot);
  if (context_.memory() == Context::Memory::kPlain || !saving_ || !IsExact(slot)) {
    return SnapshotStore::kNone;
  }
  const std::string root = tree_.RootOf(slot);
  const std::vector<llama_token> tokens = tree_.TokensOf(slot);
  const auto known = store_.FindWithin(SnapshotStore::Kind::kCheckpoint, root, tokens);
  if (known.length == length) {
    store_.Touch(known.id);
    return known.id;
  }
  const auto bytes = static_cast<int64_t>(context_.StateBytes(slot, Context::Part::kCheckpoint));
  if (!store_.Accepts(bytes + Bytes(tokens), pinned)) return SnapshotStore::kNone;
  checkpoint_bytes_ = bytes;
  counters_.saved++;
  return store_.Add(SnapshotStore::Kind::kCheckpoint, root, tokens, context_.SaveSlot(slot, Context::Part::kCheckpoint),
                    pinned);
}

/// What an idle slot holds goes to main memory before it is given up: for its sessions always, for others if it is worth
/// it. What another slot or snapshot holds too need not be saved again.
void KvCache::Stash(llama_seq_id slot) {
  const int64_t length = tree_.Length(slot);
  if (!saving_ || store_.budget() == 0 || !IsExact(slot)) return;
  const bool pinned = IsKept(slot);
  if (context_.memory() == Context::Memory::kRecurrent) {
    if (pinned || length >= kWorthSaving) MoveSessions(slot, TakeCheckpoint(slot, pinned));
    return;
  }
  const std::vector<llama_token> tokens = tree_.TokensOf(slot);
  const auto known = store_.Find(SnapshotStore::Kind::kWhole, tree_.RootOf(slot), tokens);
  const bool exact = can_shorten() || (known.id != SnapshotStore::kNone && store_.Length(known.id) == length);
  if (known.length == length && exact) {
    store_.Touch(known.id);
    return MoveSessions(slot, known.id);
  }
  const bool worth = length - std::max(known.length, tree_.SharedLength(slot)) >= kWorthSaving;
  if (pinned || worth) MoveSessions(slot, SaveWhole(slot, pinned));
}

SnapshotStore::Id KvCache::SaveWhole(llama_seq_id slot, bool pinned) {
  const std::vector<llama_token> tokens = tree_.TokensOf(slot);
  const auto bytes = static_cast<int64_t>(context_.StateBytes(slot));
  const bool too_much = !pinned && saved_in_step_ > 0 && saved_in_step_ + bytes > kMostSavedInStep;
  if (too_much || !store_.Accepts(bytes + Bytes(tokens), pinned)) return SnapshotStore::kNone;
  saved_in_step_ += bytes;
  const SnapshotStore::Id id =
      store_.Add(SnapshotStore::Kind::kWhole, tree_.RootOf(slot), tokens, context_.SaveSlot(slot), pinned);
  if (id == SnapshotStore::kNone) return id;
  counters_.saved++;
  ReplaceBeginnings(id);
  return id;
}

/// A snapshot of more tokens serves whoever wanted its beginning; a checkpoint was left there if one is needed.
void KvCache::ReplaceBeginnings(SnapshotStore::Id snapshot) {
  for (const SnapshotStore::Id beginning : store_.Beginnings(snapshot)) {
    if (store_.IsPinned(beginning) && !can_shorten()) continue;
    for (auto& [session, kept] : sessions_) {
      if (kept.snapshot != beginning) continue;
      kept.snapshot = snapshot;
      store_.Pin(snapshot);
    }
    store_.Remove(beginning);
  }
}

}  // namespace llamero
