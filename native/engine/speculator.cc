#include "engine/speculator.h"

#include <algorithm>

namespace llamero {

void Speculator::Propose(const std::vector<Sequence*>& generating, int64_t budget, int64_t cells) {
  const auto sequences = static_cast<int64_t>(generating.size());
  DraftQuestion question{.tokens = sequences, .expected = static_cast<double>(sequences)};
  for (Sequence* sequence : generating) {
    const Drafter& drafter = sequence->drafter();
    question.length = drafter.match_length();
    question.most = std::min(budget, sequence->DraftRoom(cells));
    const DraftAnswer answer =
        drafter.adapts() ? DraftLength(costs_, drafter.odds(), question) : DraftAnswer{question.most, 0};
    sequence->Propose(answer.count);
    const auto proposed = static_cast<int64_t>(sequence->draft().size());
    question.tokens += proposed;
    question.expected += answer.expected;
    budget -= proposed;
  }
}

void Speculator::Learn(const Plan& plan, int64_t accepted, double milliseconds) {
  StepReport step{.accepted = accepted, .milliseconds = milliseconds};
  for (const PlanRun& run : plan.runs) {
    if (!run.sample || run.count - run.draft > 1) return;  // a step with prompts says nothing about one without
    step.tokens += run.count;
    step.drafted += run.draft;
  }
  costs_ = LearnStep(costs_, step);
}

}  // namespace llamero
