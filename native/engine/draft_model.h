#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include "engine/context.h"
#include "engine/draft_rule.h"
#include "engine/kv_cache.h"
#include "engine/sequence.h"

namespace llamero {

/// A small model that says what a large one may say next, for all sequences of an engine in the same decodes.
///
/// It has a context and a cache of its own, which hold the same sequences under the same roots. A sequence comes in when
/// its first draft is asked for and is brought up to date then, so whatever happened to it meanwhile needs no word here:
/// only when its beginning changes, or it gives up its cells, is it forgotten. What was computed of proposed tokens stays
/// where they were said and is dropped where not.
///
/// Lives on the engine thread. What goes wrong in it ends its proposals, never a request.
class DraftModel {
 public:
  /// Throws Failure as Context does; ERR_UNSUPPORTED if its tokens are not the target's, or the memory of one of both
  /// can't be cut.
  DraftModel(std::shared_ptr<const Model> model, const Context& target, int64_t idle_limit,
             const std::atomic<bool>& abort);

  /// What is to be expected for a sequence, once it was compared what was proposed last with what was said.
  struct Outlook {
    int64_t room = 0;   // tokens that it may propose; 0: it can't read this text
    int64_t late = 0;   // tokens that it must compute before the first one, beyond those of the last steps
    double chance = 0;  // that a token is right if those before it are
  };
  Outlook Look(const Sequence& sequence);
  /// The model is not asked about the sequence in this step.
  void Pass(int64_t id);

  /// ms for one more token of each of so many sequences; 0: not known.
  double StepMs(int64_t sequences) const { return CostOf(costs_, sequences); }
  /// ms to compute so many tokens.
  double ReadMs(int64_t tokens) const { return CostOf(costs_, tokens); }

  struct Wish {
    const Sequence* sequence = nullptr;
    int64_t count = 0;
    double least_chance = 0;  // proposes only tokens that are right with that chance
    std::vector<llama_token> tokens = {};
  };
  struct Spent {
    double drafting_ms = 0;
    double catching_up_ms = 0;
  };
  /// Fills in the tokens of each wish, fewer where it is not sure. Who lacks more tokens than can be computed in some
  /// `step_ms` gets none yet, but comes nearer. REQUIRES: each was looked at since its last step, count <= room.
  Spent Draft(std::vector<Wish>& wishes, double step_ms, int threads);

  /// The sequence has ended, or has given up its cells.
  void Forget(int64_t id);

  int64_t steps() const { return steps_; }

 private:
  struct Proposal {
    llama_token token = LLAMA_TOKEN_NULL;
    double lead = 0;
  };
  struct Reader {
    llama_seq_id slot = Sequence::kNoSlot;
    int64_t computed = 0;             // tokens of the sequence that lie in the slot
    int64_t ahead = 0;                // proposals behind them that lie there too
    int64_t from = 0;                 // where the first proposal would stand in the text
    std::vector<Proposal> proposals;  // the latest ones
    LeadOdds odds;
  };
  /// One that proposes in the decodes of this step.
  struct Active {
    Wish* wish;
    Reader* reader;
    int row;
    double chance = 1;
  };

  void Settle(Reader& reader, const Sequence& sequence);
  bool Admit(Reader& reader, const Sequence& sequence, int64_t count);
  bool CanRead(const Reader& reader, const Sequence& sequence) const;
  std::vector<Active> CatchUp(std::vector<Wish>& wishes, double step_ms, int threads, Spent& spent);
  bool Propose(Active& active);
  double Decode(int threads);

  std::shared_ptr<const Model> model_;
  Context context_;
  KvCache cache_;
  std::map<int64_t, Reader> readers_;
  LeadOdds odds_;  // of all texts
  StepCosts costs_;
  int vocabulary_size_;   // that both have
  int64_t longest_text_;  // that it was made for
  int64_t steps_ = 0;
  bool broken_ = false;
};

}  // namespace llamero
