// The loop's steps that concern prompts beside running streams: what of them is computed in slices between the steps.
#include <algorithm>
#include <numeric>

#include "engine/loop.h"
#include "failure.h"

namespace llamero {
namespace {

// A step without a slice shows what one takes by itself, to the engine and to those who measure it.
constexpr int64_t kStepsWithSlice = 31;

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
  sliced_ = plan.sliced;
  slices_ms_ = 0;
  slices_began_ = Clock::now();
  FillBatch(slices_->context(), sliced_);
  slices_->context().SetAdapters(sequences_.at(sliced_.front().id).adapters());
  slices_->Begin(stats_.threads > 0 ? static_cast<int>(stats_.threads) : context_.options().threads);
}

/// How long the slice before the plan's step may take; 0: there is none.
double Loop::NextSliceMs(const Plan& plan) {
  if (plan.runs.empty()) return options_.step_target_ms;
  if (steps_with_slice_ >= kStepsWithSlice) return steps_with_slice_ = 0;
  steps_with_slice_++;
  return SliceMs(pace_, PaceOf(plan, 0).decodes);
}

void Loop::ComputeSlice(double milliseconds) {
  if (milliseconds <= 0) return;
  const auto began = Clock::now();
  if (last_decode_ended_ != Clock::time_point{}) {
    stats_.between_decodes_ms += MillisecondsBetween(last_decode_ended_, began);
  }
  const auto outcome = slices_->Run(milliseconds);
  last_decode_ended_ = Clock::now();
  turns_.Ran(sequences_.at(sliced_.front().id).adapters()->key(), began, last_decode_ended_);
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
  slices_->context().SetAdapters(std::make_shared<AdapterSet>(std::vector<AdapterSet::Entry>()));
  stats_.steps++;
  switch (outcome) {
    case Context::Outcome::kDone: {
      for (const PlanRun& run : runs) Computed(run, sequences_.at(run.id), slices_began_);
      pace_ = LearnPace(pace_, PaceOf({.runs = runs}, slices_ms_));
      return;
    }
    case Context::Outcome::kNoCells:
      return OnNoCells(runs, 0);
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

/// If that sequence is computed in slices, they end; what was computed of others in them is computed again.
void Loop::DropSlicesOf(int64_t id) {
  if (std::ranges::none_of(sliced_, [&](const PlanRun& run) { return run.id == id; })) return;
  slices_->Drop();
  slices_->context().SetAdapters(std::make_shared<AdapterSet>(std::vector<AdapterSet::Entry>()));
  for (const PlanRun& run : std::exchange(sliced_, {})) cache_.Settle(sequences_.at(run.id).slot);
}

}  // namespace llamero
