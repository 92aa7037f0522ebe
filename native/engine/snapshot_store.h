#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/prefix_tree.h"

namespace llamero {

/// States of sequences in main memory, found by the tokens that they hold, within a budget of bytes. The least recently
/// used leaves first, and what is kept for a session last. Pure: knows no llama.cpp. One thread.
class SnapshotStore {
 public:
  using Id = PrefixTree::Holder;
  using Token = PrefixTree::Token;
  using State = std::shared_ptr<const std::vector<uint8_t>>;
  static constexpr Id kNone = PrefixTree::kNobody;

  enum class Kind {
    kWhole,       // all that the memory holds of the tokens
    kCheckpoint,  // only what can't be cut: the state of recurrent layers, the latest window of sliding ones
  };

  /// `on_drop` is called with what is about to leave for others, while it is still there.
  explicit SnapshotStore(int64_t budget, std::function<void(Id)> on_drop = nullptr)
      : budget_(budget), on_drop_(std::move(on_drop)) {}

  struct Match {
    Id id = kNone;
    int64_t length = 0;  // tokens in common
  };
  /// The longest common beginning with a snapshot; `usable` as in the tree.
  Match Find(Kind kind, const std::string& root, std::span<const Token> tokens,
             const PrefixTree::Usable& usable = nullptr) const;
  /// The longest snapshot that is itself a beginning of the tokens.
  Match FindWithin(Kind kind, const std::string& root, std::span<const Token> tokens) const;

  /// Whether a state of that size would be kept, others giving way.
  bool Accepts(int64_t bytes, bool pinned) const;
  /// kNone if it is not accepted.
  Id Add(Kind kind, const std::string& root, std::span<const Token> tokens, std::vector<uint8_t> state, bool pinned);
  void Touch(Id id) { entries_.at(id).used = ++clock_; }
  /// Pins count: each session that refers to a snapshot adds one.
  void Pin(Id id) { entries_.at(id).pins++; }
  void Unpin(Id id);
  void Remove(Id id);
  /// Drops all that nobody has pinned.
  void Clear();

  bool Contains(Id id) const { return entries_.contains(id); }
  bool IsPinned(Id id) const { return entries_.at(id).pins > 0; }
  /// Stays valid when the snapshot leaves.
  State StateOf(Id id) const { return entries_.at(id).state; }
  int64_t Length(Id id) const { return IndexOf(entries_.at(id).kind).Length(id); }
  Kind KindOf(Id id) const { return entries_.at(id).kind; }
  int64_t BytesOf(Id id) const { return entries_.at(id).bytes; }
  std::vector<Token> TokensOf(Id id) const { return IndexOf(entries_.at(id).kind).TokensOf(id); }
  std::string RootOf(Id id) const { return IndexOf(entries_.at(id).kind).RootOf(id); }
  /// Whole snapshots of which this one holds more.
  std::vector<Id> Beginnings(Id id) const { return whole_.Beginnings(id); }

  /// All, the latest used first.
  std::vector<Id> Latest() const;

  int64_t budget() const { return budget_; }
  int64_t bytes() const { return bytes_; }
  int64_t count() const { return static_cast<int64_t>(entries_.size()); }
  int64_t dropped() const { return dropped_; }

 private:
  struct Entry {
    Kind kind = Kind::kWhole;
    State state;
    int64_t bytes = 0;
    int64_t used = 0;
    int pins = 0;
  };

  const PrefixTree& IndexOf(Kind kind) const { return kind == Kind::kWhole ? whole_ : checkpoints_; }
  PrefixTree& IndexOf(Kind kind) { return kind == Kind::kWhole ? whole_ : checkpoints_; }
  bool MakeRoom(int64_t bytes, bool also_pinned);

  int64_t budget_;
  std::function<void(Id)> on_drop_;
  int64_t bytes_ = 0;
  int64_t clock_ = 0;
  int64_t dropped_ = 0;
  Id last_ = 0;
  std::map<Id, Entry> entries_;
  PrefixTree whole_;  // holders are snapshots
  PrefixTree checkpoints_;
};

}  // namespace llamero
