#include "engine/kv_cache.h"

#include <algorithm>

#include "failure.h"

namespace llamero {
namespace {

// Less than this (often only BOS) costs more to share than to compute.
constexpr int64_t kLeastHit = 8;

}  // namespace

KvCache::KvCache(Context& context, int64_t idle_limit)
    : context_(context), idle_limit_(idle_limit), whole_paths_(!context.can_cut()) {
  for (int64_t slot = context.options().slots; slot-- > 0;) free_slots_.push_back(static_cast<llama_seq_id>(slot));
}

KvCache::Hit KvCache::Find(const std::string& root, std::span<const llama_token> tokens) const {
  const Hit hit = tree_.Find(root, tokens.first(tokens.size() - 1), whole_paths_);
  return hit.length >= kLeastHit ? hit : Hit{};
}

llama_seq_id KvCache::Begin(const std::string& root, const Hit& hit, int64_t session) {
  const llama_seq_id slot = Occupy(root, hit, session);
  TrimIdle(0);  // what this one did not start from is in its way now
  return slot;
}

llama_seq_id KvCache::Occupy(const std::string& root, const Hit& hit, int64_t session) {
  if (hit.length == 0) {
    const llama_seq_id slot = TakeSlot(PrefixTree::kNobody);
    tree_.Attach(slot, root);
    return slot;
  }
  if (MayTakeOver(hit, session)) {
    std::erase_if(sessions_, [&](const auto& entry) { return entry.second == hit.holder; });
    tree_.Pin(hit.holder, false);
    tree_.Wake(hit.holder);
    return hit.holder;
  }
  tree_.Touch(hit.holder);
  const llama_seq_id slot = TakeSlot(hit.holder);
  if (slot == hit.holder) {  // the only slot left holds the prefix
    context_.Truncate(slot, hit.length);
    tree_.Truncate(slot, hit.length);
    tree_.Wake(slot);
    return slot;
  }
  context_.Share(hit.holder, slot, hit.length);
  tree_.Attach(slot, hit.holder, hit.length);
  return slot;
}

/// Going on where an ended request, or the session itself, stopped: there is nothing to share.
bool KvCache::MayTakeOver(const Hit& hit, int64_t session) const {
  if (tree_.Length(hit.holder) != hit.length || tree_.IsLive(hit.holder)) return false;
  const auto own = sessions_.find(session);
  return tree_.IsLoose(hit.holder) || (own != sessions_.end() && own->second == hit.holder);
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

void KvCache::Settle(llama_seq_id slot) {
  if (!whole_paths_) return context_.Truncate(slot, tree_.Length(slot));
  context_.Free(slot);
  tree_.Truncate(slot, 0);
}

void KvCache::Release(llama_seq_id slot, int64_t session) {
  if (tree_.Length(slot) == 0) return Evict(slot);
  tree_.Rest(slot);
  if (session != 0) Keep(session, slot);
  TrimIdle(1);  // a conversation goes on from the latest one
}

void KvCache::TrimIdle(size_t spared) {
  while (tree_.loose_cells() > idle_limit_ && tree_.loose_count() > spared) Evict(*tree_.Oldest(false));
}

void KvCache::MakeRoom(int64_t cells) {
  while (context_.options().cells - tree_.cells() < cells) {
    const auto oldest = tree_.Oldest(true);
    if (!oldest) return;
    Evict(*oldest);
  }
}

void KvCache::Evict(llama_seq_id slot) {
  if (tree_.Length(slot) > 0) evictions_++;
  std::erase_if(sessions_, [&](const auto& entry) { return entry.second == slot; });
  context_.Free(slot);
  tree_.Remove(slot);
  free_slots_.push_back(slot);
}

void KvCache::Keep(int64_t session, llama_seq_id slot) {
  Forget(session);
  sessions_[session] = slot;
  tree_.Pin(slot, true);
}

bool KvCache::Fork(int64_t session, int64_t fork) {
  const auto position = sessions_.find(session);
  if (position == sessions_.end()) return false;
  const llama_seq_id from = position->second;
  const llama_seq_id slot = TakeSlot(from);
  if (slot == from) return false;
  const int64_t length = tree_.Length(from);
  context_.Share(from, slot, length);
  tree_.Attach(slot, from, length);
  tree_.Rest(slot);
  Keep(fork, slot);
  return true;
}

void KvCache::Cut(int64_t session, int64_t length) {
  const auto position = sessions_.find(session);
  if (position == sessions_.end()) return;
  const llama_seq_id slot = position->second;
  if (length >= tree_.Length(slot)) return;
  if (length == 0 || whole_paths_) return Forget(session);
  context_.Truncate(slot, length);
  tree_.Truncate(slot, length);
}

void KvCache::Forget(int64_t session) {
  const auto position = sessions_.find(session);
  if (position == sessions_.end()) return;
  const llama_seq_id slot = position->second;
  sessions_.erase(position);
  tree_.Pin(slot, false);
  TrimIdle(1);
}

int64_t KvCache::KeptTokens(int64_t session) const {
  const auto position = sessions_.find(session);
  return position == sessions_.end() ? 0 : tree_.Length(position->second);
}

std::optional<KvCache::Snapshot> KvCache::Save(int64_t session) const {
  const auto position = sessions_.find(session);
  if (position == sessions_.end()) return std::nullopt;
  return Snapshot{tree_.TokensOf(position->second), context_.SaveSlot(position->second)};
}

void KvCache::Restore(int64_t session, const std::string& root, const Snapshot& snapshot) {
  const auto tokens = static_cast<int64_t>(snapshot.tokens.size());
  MakeRoom(tokens);
  if (context_.options().cells - tree_.cells() < tokens) {
    throw Failure("ERR_CONTEXT_FULL", "The running requests leave no room for the session's " + std::to_string(tokens) +
                                          " tokens; wait for some to end.");
  }
  const llama_seq_id slot = TakeSlot(PrefixTree::kNobody);
  if (!context_.RestoreSlot(slot, snapshot.state, tokens)) {
    context_.Free(slot);
    free_slots_.push_back(slot);
    throw Failure("ERR_STATE_MISMATCH", "llama.cpp refused the saved state; it was made by another model or build.");
  }
  tree_.Attach(slot, root);
  tree_.Append(slot, snapshot.tokens);
  tree_.Rest(slot);
  Keep(session, slot);
}

}  // namespace llamero
