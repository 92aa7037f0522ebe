#include <algorithm>
#include <limits>

#include "engine/kv_cache.h"

namespace llamero {
namespace {

// Computed tokens that a file must save to be worth its way.
constexpr int64_t kWorthKeeping = 64;

}  // namespace

/// Files hold what stands for itself: all that the memory has of the tokens. Of a model that can't be cut they serve
/// requests that begin with all of it, as the next turn of a conversation does.
SnapshotStore::Kind KvCache::DiskKind() const {
  const bool recurrent = context_.memory() == Context::Memory::kRecurrent;
  return recurrent ? SnapshotStore::Kind::kCheckpoint : SnapshotStore::Kind::kWhole;
}

DiskTier::Id KvCache::Fetch(const std::string& root, std::span<const llama_token> tokens, int64_t have) {
  if (!disk_) return DiskTier::kNone;
  const DiskTier::Match found = disk_->Find(root, tokens.first(tokens.size() - 1), !can_shorten());
  if (found.length < have + kWorthKeeping) return DiskTier::kNone;
  if (!store_.Accepts(disk_->BytesOf(found.id), false)) return DiskTier::kNone;
  disk_->Fetch(found.id);
  return found.id;
}

void KvCache::TakeFetched() {
  if (!disk_) return;
  for (DiskTier::Fetched& fetched : disk_->Settle()) {
    const SnapshotStore::Id id = store_.Add(DiskKind(), fetched.root, fetched.tokens, std::move(fetched.state), false);
    if (id == SnapshotStore::kNone) continue;
    counters_.disk_hits++;
    if (DiskKind() == SnapshotStore::Kind::kWhole) ReplaceBeginnings(id);
  }
}

void KvCache::ToDisk(SnapshotStore::Id id, int64_t most_waiting) {
  if (!disk_ || store_.KindOf(id) != DiskKind()) return;
  const std::string root = store_.RootOf(id);
  std::vector<llama_token> tokens = store_.TokensOf(id);
  const auto length = static_cast<int64_t>(tokens.size());
  if (length - disk_->Known(root, tokens, !can_shorten()) < kWorthKeeping) return;
  disk_->Put(root, std::move(tokens), store_.StateOf(id), can_shorten(), most_waiting);
}

void KvCache::KeepOnDisk() {
  if (!disk_) return;
  saving_ = true;
  while (const auto oldest = tree_.Oldest(true)) {
    NextStep();  // nobody waits for a step any more
    Evict(*oldest);
  }
  std::vector<SnapshotStore::Id> kept;
  int64_t bytes = 0;
  for (const SnapshotStore::Id id : store_.Latest()) {
    bytes += store_.BytesOf(id);
    if (bytes > disk_->budget()) break;
    kept.push_back(id);
  }
  // The latest last, so that it is the last to give way there too.
  for (auto id = kept.rbegin(); id != kept.rend(); ++id) ToDisk(*id, std::numeric_limits<int64_t>::max());
}

void KvCache::StopDisk(bool write) {
  if (disk_) disk_->Stop(write);
}

}  // namespace llamero
