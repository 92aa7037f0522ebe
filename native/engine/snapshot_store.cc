#include "engine/snapshot_store.h"

#include <algorithm>
#include <utility>

namespace llamero {

SnapshotStore::Match SnapshotStore::Find(Kind kind, const std::string& root, std::span<const Token> tokens,
                                         const PrefixTree::Usable& usable) const {
  const PrefixTree::Hit hit = IndexOf(kind).Find(root, tokens, usable);
  return {hit.holder, hit.length};
}

SnapshotStore::Match SnapshotStore::FindWithin(Kind kind, const std::string& root,
                                               std::span<const Token> tokens) const {
  return Find(kind, root, tokens, [&](Id id, int64_t length) { return IndexOf(kind).Length(id) == length; });
}

bool SnapshotStore::Accepts(int64_t bytes, bool pinned) const {
  if (bytes > budget_) return false;
  int64_t kept = 0;  // by what does not give way
  for (const auto& [id, entry] : entries_) kept += entry.pins > 0 && !pinned ? entry.bytes : 0;
  return kept + bytes <= budget_;
}

SnapshotStore::Id SnapshotStore::Add(Kind kind, const std::string& root, std::span<const Token> tokens,
                                     std::vector<uint8_t> state, bool pinned) {
  const auto bytes = static_cast<int64_t>(state.size() + tokens.size_bytes());
  if (!Accepts(bytes, pinned) || !MakeRoom(bytes, pinned)) return kNone;
  const Id id = ++last_;
  PrefixTree& index = IndexOf(kind);
  const PrefixTree::Hit known = index.Find(root, tokens);
  if (known.length > 0) {
    index.Attach(id, known.holder, known.length);
  } else {
    index.Attach(id, root);
  }
  index.Append(id, tokens.subspan(known.length));
  entries_[id] = {.kind = kind,
                  .state = std::make_shared<const std::vector<uint8_t>>(std::move(state)),
                  .bytes = bytes,
                  .used = ++clock_};
  bytes_ += bytes;
  return id;
}

bool SnapshotStore::MakeRoom(int64_t bytes, bool also_pinned) {
  const auto order = [](const auto& entry) { return std::pair(entry.second.pins > 0, entry.second.used); };
  while (bytes_ + bytes > budget_) {
    const auto oldest = std::min_element(entries_.begin(), entries_.end(),
                                         [&](const auto& a, const auto& b) { return order(a) < order(b); });
    if (oldest == entries_.end() || (oldest->second.pins > 0 && !also_pinned)) return false;
    if (on_drop_) on_drop_(oldest->first);
    Remove(oldest->first);
    dropped_++;
  }
  return true;
}

std::vector<SnapshotStore::Id> SnapshotStore::Latest() const {
  std::vector<Id> ids;
  for (const auto& [id, entry] : entries_) ids.push_back(id);
  std::sort(ids.begin(), ids.end(), [&](Id a, Id b) { return entries_.at(a).used > entries_.at(b).used; });
  return ids;
}

void SnapshotStore::Unpin(Id id) {
  const auto position = entries_.find(id);
  if (position != entries_.end()) position->second.pins--;
}

void SnapshotStore::Remove(Id id) {
  const auto position = entries_.find(id);
  if (position == entries_.end()) return;
  bytes_ -= position->second.bytes;
  IndexOf(position->second.kind).Remove(id);
  entries_.erase(position);
}

void SnapshotStore::Clear() {
  std::vector<Id> loose;
  for (const auto& [id, entry] : entries_) {
    if (entry.pins == 0) loose.push_back(id);
  }
  for (const Id id : loose) Remove(id);
}

}  // namespace llamero
