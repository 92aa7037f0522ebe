#include "engine/speculator.h"

#include <algorithm>
#include <map>

namespace llamero {
namespace {

// Who has no end in sight is taken to say so many tokens more, two in a step: over these steps it must pay that the source
// reads the text.
constexpr int64_t kForesight = 256;
constexpr double kTokensPerStep = 2;

}  // namespace

double Speculator::Propose(const std::vector<Sequence*>& generating, Limits limits) {
  const auto sequences = static_cast<int64_t>(generating.size());
  const auto asks = [this](const Sequence* sequence) { return source_ && sequence->asks_source(); };
  const int64_t askers = std::count_if(generating.begin(), generating.end(), asks);
  std::vector<DraftSource::Wish> wishes;
  DraftQuestion question{.tokens = sequences, .expected = static_cast<double>(sequences)};
  for (Sequence* sequence : generating) {
    const Drafter& drafter = sequence->drafter();
    question.length = drafter.match_length();
    question.most = std::min({limits.budget, limits.each, sequence->DraftRoom(limits.cells)});
    DraftAnswer answer = drafter.adapts() ? DraftLength(costs_, drafter.odds(), question) : DraftAnswer{question.most};
    sequence->Propose(drafter.Draft(sequence->tokens(), answer.count));
    answer.count = static_cast<int64_t>(sequence->draft().size());
    if (asks(sequence)) answer = AskSource(*sequence, question, askers, answer, wishes);
    question.tokens += answer.count;
    question.expected += answer.expected;
    limits.budget -= answer.count;
  }
  if (askers == 0) return 0;
  const DraftSource::Spent spent = source_->Draft(wishes, limits.step_ms, limits.threads);
  spent_.drafting_ms += spent.drafting_ms;
  spent_.catching_up_ms += spent.catching_up_ms;
  std::map<int64_t, std::vector<llama_token>*> drafts;
  for (DraftSource::Wish& wish : wishes) drafts.emplace(wish.sequence->id(), &wish.tokens);
  for (Sequence* sequence : generating) {
    const auto draft = drafts.find(sequence->id());
    if (draft != drafts.end() && !draft->second->empty()) sequence->Propose(std::move(*draft->second));
  }
  return spent.drafting_ms + spent.catching_up_ms;
}

/// What the sequence proposes then: what the source shall find, or what it has already.
DraftAnswer Speculator::AskSource(const Sequence& sequence, DraftQuestion question, int64_t askers,
                                  const DraftAnswer& other, std::vector<DraftSource::Wish>& wishes) {
  const DraftSource::Outlook outlook = source_->Look(sequence);
  question.most = std::min(question.most, outlook.room);
  question.chance = outlook.chance;
  question.token_ms = source_->StepMs(askers) / static_cast<double>(askers);
  const double left = static_cast<double>(std::min(sequence.tokens_left().value_or(kForesight), kForesight));
  if (outlook.late > 0) question.fixed_ms = source_->ReadMs(outlook.late) * kTokensPerStep / std::max(left, 1.0);
  const bool adapts = sequence.drafter().adapts();
  const DraftAnswer answer = adapts ? DraftLength(costs_, {}, question) : DraftAnswer{question.most};
  if (answer.count == 0 || (adapts && answer.rate <= other.rate)) {
    source_->Pass(sequence.id());
    return other;
  }
  wishes.push_back({&sequence, answer.count, adapts ? LeastChance(costs_, question) : 0});
  return {std::max(answer.count, other.count), answer.expected, answer.rate};
}

void Speculator::Learn(const Plan& plan, int64_t accepted, double milliseconds) {
  const DraftSource::Spent spent = std::exchange(spent_, {});
  StepReport step{.accepted = accepted,
                  .milliseconds = milliseconds,
                  .drafting_ms = spent.drafting_ms,
                  .catching_up_ms = spent.catching_up_ms};
  for (const PlanRun& run : plan.runs) {
    if (!run.sample || run.count - run.draft > 1) return;  // a step with prompts says nothing about one without
    step.tokens += run.count;
    step.drafted += run.draft;
  }
  step.first_of_size = sizes_.insert(step.tokens).second;
  costs_ = LearnStep(costs_, step);
}

}  // namespace llamero
