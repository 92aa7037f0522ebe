#include "engine/kv_cache.h"

#include <algorithm>

#include "engine/media_run.h"
#include "failure.h"

namespace llamero {
namespace {

// Less than this (often only BOS) costs more to share than to compute.
constexpr int64_t kLeastHit = 8;
// What a snapshot must bring beyond the cells to be worth copying back.
constexpr int64_t kWorthRestoring = 64;
// Main memory beyond its budget that holds what waits to be written: what a disk takes in a second or less.
constexpr int64_t kMostWaiting = int64_t{256} << 20;

}  // namespace

KvCache::KvCache(Context& context, const KvCacheOptions& options, std::function<void()> on_disk)
    : context_(context),
      options_(options),
      store_(options.snapshot_bytes, [this](SnapshotStore::Id id) { ToDisk(id, kMostWaiting); }) {
  if (!options.disk.directory.empty()) disk_ = std::make_unique<DiskTier>(options.disk, std::move(on_disk));
  for (int64_t slot = context.options().slots; slot-- > 0;) free_slots_.push_back(static_cast<llama_seq_id>(slot));
}

bool KvCache::CanStart(PrefixTree::Holder holder, int64_t length) const {
  switch (context_.memory()) {
    case Context::Memory::kPlain:
      return true;
    case Context::Memory::kWindowed:
      return context_.CanCut(holder, Position(holder, length));
    default:
      return tree_.Length(holder) == length;
  }
}

int64_t KvCache::Position(llama_seq_id slot, int64_t length) const {
  return context_.has_grid() ? PositionBehind(tree_.TokensOf(slot), length) : length;
}

int64_t KvCache::Extent(std::span<const llama_token> tokens) const {
  return context_.has_grid() ? LastPosition(tokens) + 1 : static_cast<int64_t>(tokens.size());
}

bool KvCache::IsExact(llama_seq_id slot) const {
  return context_.Length(slot) == (context_.has_grid() ? Extent(tree_.TokensOf(slot)) : tree_.Length(slot));
}

KvCache::Hit KvCache::Find(const std::string& root, std::span<const llama_token> tokens) const {
  Hit hit = FindAny(root, tokens);
  // Media are computed as a whole, and another's may only begin alike.
  for (int64_t whole = WholeLength(tokens, hit.length); whole < hit.length; whole = WholeLength(tokens, hit.length)) {
    hit = FindAny(root, tokens.first(whole + 1));
  }
  return hit;
}

KvCache::Hit KvCache::FindAny(const std::string& root, std::span<const llama_token> tokens) const {
  tokens = tokens.first(tokens.size() - 1);
  const auto usable = [this](PrefixTree::Holder holder, int64_t length) { return CanStart(holder, length); };
  const PrefixTree::Hit cells = tree_.Find(root, tokens, usable);
  Hit hit{.length = cells.length, .live = cells.live, .holder = cells.holder};
  const Hit checkpoint = FindCheckpoint(root, tokens);
  if (checkpoint.length >= hit.length + kLeastHit) hit = checkpoint;
  if (hit.length < kLeastHit) hit = {};
  hit.in_cells = hit.length;
  Hit snapshot = FindSnapshot(root, tokens);
  if (snapshot.length < hit.length + kWorthRestoring) return hit;
  snapshot.in_cells = hit.length;
  return snapshot;
}

std::optional<llama_seq_id> KvCache::Begin(const std::string& root, std::span<const llama_token> tokens, const Hit& hit,
                                           int64_t session) {
  const auto slot = Occupy(root, tokens, hit, session);
  if (!slot) return std::nullopt;
  PlaceMarks(*slot, root, tokens, hit.length);
  TrimIdle(0);  // what this one did not start from is in its way now
  if (hit.snapshot != SnapshotStore::kNone) {
    counters_.memory_hits++;
  } else if (hit.checkpoint != SnapshotStore::kNone) {
    counters_.checkpoint_hits++;
  } else if (hit.length > 0) {
    counters_.cell_hits++;
  }
  return slot;
}

std::optional<llama_seq_id> KvCache::Occupy(const std::string& root, std::span<const llama_token> tokens,
                                            const Hit& hit, int64_t session) {
  if (hit.snapshot != SnapshotStore::kNone) return OccupySnapshot(root, tokens.first(hit.length), hit);
  if (hit.checkpoint != SnapshotStore::kNone) return OccupyCheckpoint(root, tokens.first(hit.length), hit);
  if (hit.length > 0) return OccupyCells(hit, session);
  const llama_seq_id slot = TakeSlot(PrefixTree::kNobody);
  tree_.Attach(slot, root);
  return slot;
}

llama_seq_id KvCache::OccupyCells(const Hit& hit, int64_t session) {
  if (MayTakeOver(hit, session)) {
    TakeCheckpoint(hit.holder);  // it goes on from here; a later request may want to start here again
    MoveSessions(hit.holder, SnapshotStore::kNone);
    tree_.Wake(hit.holder);
    return hit.holder;
  }
  tree_.Touch(hit.holder);
  const llama_seq_id slot = TakeSlot(hit.holder);
  if (slot == hit.holder) {  // the only slot left holds the prefix
    Stash(slot);
    MoveSessions(slot, SnapshotStore::kNone);
    context_.Truncate(slot, Position(slot, hit.length));
    tree_.Truncate(slot, hit.length);
    tree_.Wake(slot);
    return slot;
  }
  context_.Share(hit.holder, slot, Position(hit.holder, hit.length));
  tree_.Attach(slot, hit.holder, hit.length);
  return slot;
}

/// Going on where an ended request, or the session itself, stopped: there is nothing to share.
bool KvCache::MayTakeOver(const Hit& hit, int64_t session) const {
  if (tree_.Length(hit.holder) != hit.length || tree_.IsLive(hit.holder)) return false;
  const auto own = sessions_.find(session);
  return tree_.IsLoose(hit.holder) || (own != sessions_.end() && own->second.slot == hit.holder);
}

/// A free slot, if need be that of the oldest prefix; `spare` itself only when it is the last one.
llama_seq_id KvCache::TakeSlot(llama_seq_id spare) {
  if (free_slots_.empty()) {
    const auto oldest = tree_.Oldest(true, spare);
    if (!oldest && tree_.Contains(spare) && !tree_.IsLive(spare)) return spare;
    if (!oldest) throw Failure("ERR_INTERNAL", "The plan runs more sequences than there are slots.");
    Evict(*oldest);
  }
  const llama_seq_id slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

void KvCache::Extend(llama_seq_id slot, std::span<const llama_token> tokens) {
  tree_.Append(slot, tokens);
  const auto marks = marks_.find(slot);
  if (marks != marks_.end() && marks->second.contains(tree_.Length(slot))) TakeCheckpoint(slot);
}

void KvCache::Settle(llama_seq_id slot) {
  const int64_t length = tree_.Length(slot);
  const Context::Memory memory = context_.memory();
  // A decode that was cut short leaves recurrent states undefined; it may also have taken cells of the slot's window.
  const bool cells = memory == Context::Memory::kPlain || memory == Context::Memory::kWindowed;
  if (cells && context_.CanCut(slot, Position(slot, length))) {
    const std::vector<llama_token> tokens = tree_.TokensOf(slot);
    // Where the tokens of a medium share a position, a part of it can't be told from what is to go.
    const bool undecided = context_.has_grid() && !tokens.empty() && IsMedia(tokens.back());
    if (undecided) tree_.Truncate(slot, WholeLength(tokens, length - 1));
    return context_.Truncate(slot, Position(slot, tree_.Length(slot)));
  }
  context_.Free(slot);
  tree_.Truncate(slot, 0);
}

void KvCache::DropRest(llama_seq_id slot) { context_.Truncate(slot, Position(slot, tree_.Length(slot))); }

void KvCache::Release(llama_seq_id slot, int64_t session) {
  marks_.erase(slot);
  if (tree_.Length(slot) == 0) return Free(slot);
  tree_.Rest(slot);
  if (session != 0) Keep(session, {.slot = slot});
  TrimIdle(1);  // a conversation goes on from the latest one
}

void KvCache::TrimIdle(size_t spared) {
  while (tree_.loose_cells() > options_.idle_limit && tree_.loose_count() > spared) Evict(*tree_.Oldest(false));
}

void KvCache::MakeRoom(int64_t cells) {
  while (free_cells() < cells) {
    const auto oldest = tree_.Oldest(true);
    if (!oldest) return;
    Evict(*oldest);
  }
}

void KvCache::DropLoose() {
  while (const auto oldest = tree_.Oldest(false)) Free(*oldest);
  store_.Clear();
}

void KvCache::Evict(llama_seq_id slot) {
  counters_.evictions++;
  Stash(slot);
  Free(slot);
}

void KvCache::Free(llama_seq_id slot) {
  MoveSessions(slot, SnapshotStore::kNone);
  marks_.erase(slot);
  context_.Free(slot);
  tree_.Remove(slot);
  free_slots_.push_back(slot);
}

}  // namespace llamero
