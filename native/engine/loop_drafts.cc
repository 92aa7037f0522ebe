// The loop's steps that concern proposed tokens.
#include <algorithm>
#include <span>
#include <vector>

#include "engine/loop.h"

namespace llamero {

/// Those of another adapter set wait, and propose nothing.
void Loop::ProposeDrafts(std::vector<PlanSequence>& candidates, int64_t budget) {
  std::vector<Sequence*> generating;
  for (const PlanSequence& candidate : candidates) {
    if (!candidate.waits && !candidate.parked && candidate.computed > 0) {
      generating.push_back(&sequences_.at(candidate.id));
    }
  }
  speculator_.Propose(generating, budget, context_.options().cells);
  for (PlanSequence& candidate : candidates) {
    candidate.draft = candidate.waits ? 0 : static_cast<int64_t>(sequences_.at(candidate.id).draft().size());
  }
}

/// Prefixes give way to known tokens; proposed ones take only cells that hold nothing.
void Loop::MakeRoom(Plan& plan) {
  int64_t cells = 0;
  for (const PlanRun& run : plan.runs) cells += run.count - run.draft;
  cache_.MakeRoom(cells);
  int64_t left = std::max<int64_t>(0, context_.options().cells - cache_.cells() - cells);
  for (PlanRun& run : plan.runs) {
    const int64_t dropped = std::max<int64_t>(0, run.draft - left);
    run.draft -= dropped;
    run.count -= dropped;
    left -= run.draft;
  }
}

/// Samples row by row, each with all that was said before it, as if every token had had its own step: what the sampler
/// says is said. As long as it is the token that was proposed, the next row was computed behind the right tokens.
void Loop::Advance(const PlanRun& run, Sequence& sequence, News& news) {
  const int64_t computed = sequence.computed();
  int64_t accepted = 0;
  sequence.Drafted(run.draft);
  for (int row = rows_.at(run.id);; row++) {
    sequence.Advance(context_.Row(row), context_.options().cells, Clock::now(), news);
    if (news.finish || accepted == run.draft || sequence.tokens().back() != sequence.draft()[accepted]) break;
    sequence.Accept();
    accepted++;
  }
  if (run.draft == 0) return;
  cache_.Extend(sequence.slot, std::span(sequence.tokens()).subspan(computed, accepted));
  cache_.Settle(sequence.slot);
  stats_.draft_tokens += run.draft;
  stats_.accepted_tokens += accepted;
}

/// Steps with drafts are few and of many sizes, so the rule of their size may know nothing of neighbours yet: they take no
/// more threads than the step without drafts would. On a machine with busy cores two-token steps that began with all
/// threads took 450 ms, where those of one token had come down to one thread and 21 ms.
int64_t Loop::ThreadsFor(const Plan& plan) {
  const size_t tokens = context_.batch_tokens();
  const size_t drafted = static_cast<size_t>(DraftedTokens(plan));
  return std::min(ThreadsFor(tokens).threads, ThreadsFor(tokens - drafted).threads);
}

/// The first step of another adapter set takes longer than the others, and those take what this set costs.
void Loop::LearnFromDrafts(const Plan& plan, int64_t accepted) {
  if (adapters_changed_) return speculator_.Rescale();
  speculator_.Learn(plan, accepted, MillisecondsBetween(decode_started_, last_decode_ended_));
}

}  // namespace llamero
