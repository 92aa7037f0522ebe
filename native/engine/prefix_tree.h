#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace llamero {

/// Which tokens lie computed in the unified KV cache, and who holds them: a radix tree whose nodes are runs of cells.
///
/// A holder is a sequence id of the cache. It holds a path from a root to a node, the tokens that it has computed. Live
/// holders run; idle ones are kept so that others can start from what they computed. A node's cells are in the cache
/// once, however many hold them: llama.cpp only tags cells with the ids that use them.
///
/// Roots keep apart what must not be shared: tenants, adapter sets. Pure: knows no llama.cpp. One thread.
class PrefixTree {
 public:
  using Holder = int32_t;
  using Token = int32_t;
  static constexpr Holder kNobody = -1;

  PrefixTree();
  ~PrefixTree();

  struct Hit {
    Holder holder = kNobody;  // somebody who holds the prefix
    int64_t length = 0;       // tokens
    int64_t live = 0;         // of these, tokens that a live holder holds: they are taken already
  };
  /// Whether one can start behind the first `length` tokens of a holder: not every memory can be cut.
  using Usable = std::function<bool(Holder, int64_t length)>;
  /// The longest prefix of `tokens` that somebody under `root` holds, and can be started from.
  Hit Find(const std::string& root, std::span<const Token> tokens, const Usable& usable = nullptr) const;

  /// A new live holder that starts with the first `length` tokens of `other`'s path, or with none.
  /// REQUIRES: `holder` is not in the tree; `other` holds at least `length` tokens.
  void Attach(Holder holder, const std::string& root);
  void Attach(Holder holder, Holder other, int64_t length);
  /// The holder has computed these tokens behind its path.
  void Append(Holder holder, std::span<const Token> tokens);
  /// The holder gives up what lies behind its first `length` tokens.
  void Truncate(Holder holder, int64_t length);
  void Remove(Holder holder);
  /// Live → idle: kept for others.
  void Rest(Holder holder);
  /// Idle → live.
  void Wake(Holder holder);
  /// Pinned holders are kept for somebody in particular.
  void Pin(Holder holder, bool pinned) { holders_.at(holder).pinned = pinned; }
  void Touch(Holder holder) { holders_.at(holder).used = ++clock_; }

  bool Contains(Holder holder) const { return holders_.contains(holder); }
  bool IsLive(Holder holder) const { return holders_.at(holder).live; }
  /// Neither live nor pinned.
  bool IsLoose(Holder holder) const { return !holders_.at(holder).live && !holders_.at(holder).pinned; }
  int64_t Length(Holder holder) const;
  std::vector<Token> TokensOf(Holder holder) const;
  std::string RootOf(Holder holder) const;
  /// How many of its first tokens somebody else holds too.
  int64_t SharedLength(Holder holder) const;
  /// Those who hold a beginning of this one's path and nothing else.
  std::vector<Holder> Beginnings(Holder holder) const;

  /// The idle holder to give up first: loose before pinned, and these only if `also_pinned`; least recently used first.
  std::optional<Holder> Oldest(bool also_pinned, Holder except = kNobody) const;

  /// Cells in use; by live holders; by loose holders alone.
  int64_t cells() const;
  int64_t live_cells() const;
  int64_t loose_cells() const;
  size_t loose_count() const;
  /// Cells that only this one uses among the live: what preempting it would free, since idle ones give way.
  int64_t OwnCells(Holder holder) const;

 private:
  struct Node;
  struct Path {
    Node* end = nullptr;
    bool live = true;
    bool pinned = false;
    int64_t used = 0;
  };

  Node& NodeOf(const std::string& root);
  Node& CutAt(Node& node, int64_t depth);
  void Leave(Node* from, const Node* until, Holder holder, bool live);
  void CountLive(Node* end, int change);
  template <typename Counts>
  int64_t Sum(Counts counts) const;

  std::map<std::string, std::unique_ptr<Node>> roots_;
  std::map<Holder, Path> holders_;
  int64_t clock_ = 0;
};

}  // namespace llamero
