// The loop's steps that concern prompts beside running streams: what of them is computed in slices between the steps.
#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "engine/loop.h"

namespace llamero {
namespace {

// A step without a slice shows what one takes by itself, to the engine and to those who measure it.
constexpr int64_t kStepsWithSlice = 31;

// Of the step target: a slice while nothing is known of the streams' steps.
constexpr double kUnknown = 0.1;

}  // namespace

/// A GPU computes a whole chunk in the time of a step or two, and would have to be waited for behind every operation.
/// Other memories than cells alone move what they hold with every decode.
bool Loop::CanSlice() const {
  return model_->gpu_layers() == 0 && context_.memory() == Context::Memory::kPlain &&
         context_.options().max_sequences > 1;
}

int64_t Loop::TokensInSlices() const {
  return std::accumulate(sliced_.begin(), sliced_.end(), int64_t{0},
                         [](int64_t sum, const PlanRun& run) { return sum + run.count; });
}

/// Tokens that may begin to be computed in slices beside so many streams.
int64_t Loop::ChunkTokens(int64_t decodes) const {
  if (!sliced_.empty()) return 0;
  const double slice = SliceMs(pace_, std::max<int64_t>(1, decodes));
  return slice > 0 ? slices_->TokensFor(slice) : SlicedDecode::kTokens;
}

/// To the plan its tokens are as good as computed, and it does not run.
void Loop::AddSliced(PlanSequence& candidate) const {
  for (const PlanRun& run : sliced_) {
    if (run.id != candidate.id) continue;
    candidate.computed += run.count;
    candidate.own += run.count;
    candidate.waits = true;
  }
}

void Loop::BeginSlices(const Plan& plan) {
  int64_t tokens = 0;  // of the step
  for (const PlanRun& run : plan.runs) tokens += run.count;
  FillBatch(slices_->context(), plan.sliced);
  slices_->context().SetAdapters(sequences_.at(plan.sliced.front().id).adapters());
  slices_->Begin(ThreadsFor(static_cast<size_t>(tokens)).threads);
  sliced_ = plan.sliced;
  slices_began_ = Clock::now();
  slices_ms_ = 0;
  for (const PlanRun& run : sliced_) sequences_.at(run.id).Computed(0, slices_began_);  // it waits no more
  cache_.Reserve(TokensInSlices());
}

/// How long the slice before the plan's step may take; 0: there is none.
double Loop::NextSliceMs(const Plan& plan) {
  if (plan.runs.empty()) return options_.step_target_ms;
  if (steps_with_slice_ >= kStepsWithSlice) return steps_with_slice_ = 0;
  steps_with_slice_++;
  const double slice = SliceMs(pace_, PaceOf(plan.runs, 0).decodes);
  return slice > 0 ? slice : options_.step_target_ms * kUnknown;
}

void Loop::ComputeSlice(const Plan& plan) {
  const double milliseconds = NextSliceMs(plan);
  if (milliseconds == 0) return;
  const auto began = Clock::now();
  if (last_decode_ended_ != Clock::time_point{}) {
    stats_.between_decodes_ms += MillisecondsBetween(last_decode_ended_, began);
  }
  const auto outcome = slices_->Run(milliseconds);
  last_decode_ended_ = Clock::now();
  // Beside steps the turn is theirs, and slices neither take nor end it.
  const std::string& adapters = sequences_.at(sliced_.front().id).adapters()->key();
  if (plan.runs.empty()) turns_.Ran(adapters, began, last_decode_ended_);
  const double took = MillisecondsBetween(began, last_decode_ended_);
  stats_.decode_ms += took;
  slices_ms_ += took;
  if (outcome) return EndSlices(*outcome);
  for (const PlanRun& run : sliced_) {
    const Sequence& sequence = sequences_.at(run.id);
    if (!sequence.wants_progress()) continue;
    const double share = slices_->progress() * static_cast<double>(run.count);
    NewsOf(run.id).prompt_tokens = sequence.computed() + static_cast<int64_t>(share);
  }
}

void Loop::EndSlices(Context::Outcome outcome) {
  const std::vector<PlanRun> runs = std::exchange(sliced_, {});
  cache_.Reserve(0);
  stats_.steps++;
  switch (outcome) {
    case Context::Outcome::kDone:
      for (const PlanRun& run : runs) Computed(run, sequences_.at(run.id), slices_began_);
      return LearnFromSlices(runs);
    case Context::Outcome::kNoCells:  // others hold them, or had done when it began
      return Preempt(sequences_.at(runs.back().id));
    case Context::Outcome::kAborted:
      for (const PlanRun& run : runs) {
        cache_.Settle(sequences_.at(run.id).slot);
        Preempt(sequences_.at(run.id));
      }
      return;
    case Context::Outcome::kBroken:
      return Break("ERR_ENGINE_CRASHED", "llama.cpp could not compute a step; close the model and load it again.");
  }
}

void Loop::LearnFromSlices(const std::vector<PlanRun>& runs) {
  PaceStep step = PaceOf(runs, slices_ms_);
  step.sliced = true;
  pace_ = LearnPace(pace_, step);
}

/// If that sequence is computed in slices, they end; what was computed of others in them is computed again.
void Loop::DropSlicesOf(int64_t id) {
  if (std::none_of(sliced_.begin(), sliced_.end(), [&](const PlanRun& run) { return run.id == id; })) return;
  slices_->Drop();
  cache_.Reserve(0);
  for (const PlanRun& run : std::exchange(sliced_, {})) {
    Sequence& sequence = sequences_.at(run.id);
    cache_.DropRest(sequence.slot);
    if (sequence.computed() == 0 && run.id != id) StartOver(sequence);  // to the plan it holds no slot
  }
}

}  // namespace llamero
