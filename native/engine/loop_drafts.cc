// The loop's steps that concern proposed tokens.
#include <algorithm>
#include <chrono>
#include <map>
#include <span>
#include <vector>

#include "engine/loop.h"

namespace llamero {

/// Whether anybody proposes something in the step of that plan. Drafts run in steps without prompts only; where a prompt
/// is under way a step without its chunk is left out to see what one costs.
bool Loop::ProposeDrafts(const Plan& plan, std::vector<PlanSequence>& candidates, int64_t budget) {
  if (!plan.sliced.empty()) return false;
  std::vector<Sequence*> generating;
  for (const PlanRun& run : plan.runs) {
    Sequence& sequence = sequences_.at(run.id);
    if (!run.sample || run.count > 1 || sequence.slot == Sequence::kNoSlot) return false;
    generating.push_back(&sequence);
  }
  const auto speculates = [](const Sequence* sequence) { return sequence->drafter().most() > 0; };
  const auto prefills = [](const PlanSequence& one) {
    return !one.waits && !one.parked && one.computed > 0 && one.known - one.computed > 1;
  };
  if (budget == 0 || std::none_of(generating.begin(), generating.end(), speculates)) return false;
  if (std::any_of(candidates.begin(), candidates.end(), prefills)) return false;
  const double milliseconds =
      speculator_.Propose(generating, {.budget = budget,
                                       .each = context_.most_taken_back(),
                                       .cells = context_.options().cells,
                                       .step_ms = options_.step_target_ms,
                                       .threads = static_cast<int>(ThreadsFor(generating.size()).threads)});
  stats_.draft_model_ms += milliseconds;
  if (last_decode_ended_ != Clock::time_point{}) {  // a draft source's decodes are no time between decodes
    last_decode_ended_ +=
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double, std::milli>(milliseconds));
  }
  std::map<int64_t, int64_t> lengths;
  for (const Sequence* sequence : generating) lengths[sequence->id()] = static_cast<int64_t>(sequence->draft().size());
  bool any = false;
  for (PlanSequence& candidate : candidates) {
    const auto length = lengths.find(candidate.id);
    candidate.draft = length == lengths.end() ? 0 : length->second;
    any = any || candidate.draft > 0;
  }
  return any;
}

/// Prefixes give way to known tokens; proposed ones take only cells that hold nothing.
void Loop::MakeRoom(Plan& plan) {
  int64_t cells = 0;
  for (const PlanRun& run : plan.runs) cells += run.count - run.draft;
  for (const PlanRun& run : plan.sliced) cells += run.count;
  cache_.MakeRoom(cells);
  int64_t left = std::max<int64_t>(0, cache_.free_cells() - cells);
  for (PlanRun& run : plan.runs) {
    const int64_t dropped = std::max<int64_t>(0, run.draft - left);
    run.draft -= dropped;
    run.count -= dropped;
    left -= run.draft;
  }
  if (context_.memory() != Context::Memory::kPlain) AlignDrafts(plan.runs);
}

/// Where a micro-batch begins, llama.cpp may move the latest states of all sequences, and leaves those behind that a
/// sequence can be taken back to. So a step with drafts must be one micro-batch, which has as many tokens of each sequence.
void Loop::AlignDrafts(std::vector<PlanRun>& runs) {
  if (runs.empty()) return;
  const int64_t most = context_.options().micro_batch_size / static_cast<int64_t>(runs.size());
  int64_t draft = std::max<int64_t>(0, most - 1);
  for (const PlanRun& run : runs) draft = std::min(draft, run.count - run.draft == 1 ? run.draft : 0);
  for (PlanRun& run : runs) {
    run.count -= run.draft - draft;
    run.draft = draft;
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
  cache_.TakeBack(sequence.slot);
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
