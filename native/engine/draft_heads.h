#pragma once

#include <map>
#include <vector>

#include "engine/context.h"
#include "engine/draft_rule.h"
#include "engine/draft_source.h"
#include "engine/forecast.h"

namespace llamero {

/// Proposals of a model's own trained heads, which have read all that the model has: nothing is caught up with.
class DraftHeads : public DraftSource {
 public:
  /// REQUIRES: the context has heads, and outlives it.
  explicit DraftHeads(Context& target) : target_(target), heads_(*target.heads()) {}

  Outlook Look(const Sequence& sequence) override;
  void Pass(int64_t id) override { forecasts_[id].Pass(); }
  double StepMs(int64_t sequences) const override { return CostOf(costs_, sequences); }
  double ReadMs(int64_t) const override { return 0; }
  Spent Draft(std::vector<Wish>& wishes, double step_ms, int threads) override;
  void Forget(int64_t id) override { forecasts_.erase(id); }
  int64_t steps() const override { return steps_; }

 private:
  /// One that proposes in the decodes of this step.
  struct Active {
    Wish* wish;
    int row;
  };

  double Compute(size_t tokens, int threads);

  Context& target_;
  TrainedHeads& heads_;
  std::map<int64_t, Forecast> forecasts_;
  LeadOdds odds_;  // of all texts
  StepCosts costs_;
  int64_t steps_ = 0;
};

}  // namespace llamero
