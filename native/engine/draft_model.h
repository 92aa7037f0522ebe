#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include "engine/context.h"
#include "engine/draft_rule.h"
#include "engine/draft_source.h"
#include "engine/forecast.h"
#include "engine/kv_cache.h"
#include "engine/sequence.h"

namespace llamero {

/// A small model that says what a large one may say next.
///
/// It has a context and a cache of its own, which hold the same sequences under the same roots. A sequence comes in when
/// its first draft is asked for and is brought up to date then, so whatever happened to it meanwhile needs no word here:
/// only when its beginning changes, or it gives up its cells, is it forgotten. What was computed of proposed tokens stays
/// where they were said and is dropped where not.
///
/// Lives on the engine thread. What goes wrong in it ends its proposals, never a request.
class DraftModel : public DraftSource {
 public:
  /// Throws Failure as Context does; ERR_UNSUPPORTED if its tokens are not the target's, or the memory of one of both
  /// can't be cut.
  DraftModel(std::shared_ptr<const Model> model, const Context& target, int64_t idle_limit,
             const std::atomic<bool>& abort);

  Outlook Look(const Sequence& sequence) override;
  void Pass(int64_t id) override { readers_[id].forecast.Pass(); }
  double StepMs(int64_t sequences) const override { return CostOf(costs_, sequences); }
  double ReadMs(int64_t tokens) const override { return CostOf(costs_, tokens); }
  Spent Draft(std::vector<Wish>& wishes, double step_ms, int threads) override;
  void Forget(int64_t id) override;
  int64_t steps() const override { return steps_; }

 private:
  struct Reader {
    llama_seq_id slot = Sequence::kNoSlot;
    int64_t computed = 0;  // tokens of the sequence that lie in the slot
    int64_t ahead = 0;     // proposals behind them that lie there too
    Forecast forecast;
  };
  /// One that proposes in the decodes of this step.
  struct Active {
    Wish* wish;
    Reader* reader;
    int row;
  };

  void Settle(Reader& reader, const Sequence& sequence);
  bool Admit(Reader& reader, const Sequence& sequence, int64_t count);
  bool CanRead(const Reader& reader, const Sequence& sequence) const;
  std::vector<Active> CatchUp(std::vector<Wish>& wishes, double step_ms, int threads, Spent& spent);
  bool Propose(const Active& active);
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
