#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/prefix_tree.h"

namespace llamero {

/// The context's cells as requests use them: slots for those that run, and the prefixes of those that have ended, kept
/// until the room is needed. A request that begins like another one starts from its cells, also while that one runs.
/// Lives on the engine thread.
class KvCache {
 public:
  using Hit = PrefixTree::Hit;

  /// `idle_limit`: most tokens that are kept for nobody in particular while others run; beyond it those of the latest
  /// request stay until one begins that does not go on from them. Upstream's attention visits masked cells too: on a CPU
  /// 1,000 of them cost a decode some 3 % of its rate, and a prefill as much as 1,000 tokens of its own.
  KvCache(Context& context, int64_t idle_limit);

  /// What of `tokens` lies computed already, all but the last token at most: its row must be computed to go on.
  Hit Find(const std::string& root, std::span<const llama_token> tokens) const;
  /// A slot for a request of that session (0: none) that starts from `hit`, which was found since the last change.
  llama_seq_id Begin(const std::string& root, const Hit& hit, int64_t session);
  /// The slot's next tokens are computed.
  void Extend(llama_seq_id slot, std::span<const llama_token> tokens) { tree_.Append(slot, tokens); }
  /// What llama.cpp may have computed beyond the tokens of a slot is dropped: after a decode that was cut short.
  void Settle(llama_seq_id slot);
  /// The request has ended or was preempted: its tokens are kept as a prefix for others while there is room, or for its
  /// session, in place of what was kept for that before.
  void Release(llama_seq_id slot, int64_t session = 0);
  /// Gives up prefixes until `cells` cells are free, or none is left.
  void MakeRoom(int64_t cells);

  /// Cells that the running requests use, and of these the ones that only this request uses.
  int64_t live_cells() const { return tree_.live_cells(); }
  int64_t OwnCells(llama_seq_id slot) const { return tree_.OwnCells(slot); }
  int64_t cells() const { return tree_.cells(); }
  int64_t evictions() const { return evictions_; }

  // Sessions: prefixes that are kept for somebody. They go last, and only when nothing else gives room.
  /// Another name for what is kept under `session`; shares its cells. Returns whether there was anything.
  bool Fork(int64_t session, int64_t fork);
  /// Cuts what is kept to its first tokens.
  void Cut(int64_t session, int64_t length);
  void Forget(int64_t session);
  /// Tokens kept; 0 if they had to give way.
  int64_t KeptTokens(int64_t session) const;
  struct Snapshot {
    std::vector<llama_token> tokens;
    std::vector<uint8_t> state;
  };
  std::optional<Snapshot> Save(int64_t session) const;
  /// Throws Failure: ERR_STATE_MISMATCH if llama.cpp refuses the state, ERR_CONTEXT_FULL if there is no room.
  void Restore(int64_t session, const std::string& root, const Snapshot& snapshot);

 private:
  bool MayTakeOver(const Hit& hit, int64_t session) const;
  void Keep(int64_t session, llama_seq_id slot);
  llama_seq_id TakeSlot(llama_seq_id spare);
  void Evict(llama_seq_id slot);
  /// Gives up the oldest of what is kept for nobody until the limit is met or so many are left.
  void TrimIdle(size_t spared);
  llama_seq_id Occupy(const std::string& root, const Hit& hit, int64_t session);

  Context& context_;
  int64_t idle_limit_;
  bool whole_paths_;
  PrefixTree tree_;
  std::vector<llama_seq_id> free_slots_;
  std::map<int64_t, llama_seq_id> sessions_;
  int64_t evictions_ = 0;
};

}  // namespace llamero
