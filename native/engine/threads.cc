#include "engine/threads.h"

#include <algorithm>

namespace llamero {
namespace {

// A single hiccup (a page fault, a garbage collection of the host) counts at most fivefold, so that one alone never
// passes the limit, not even on top of noise: 1.5 + (5 - 1.5) / 12 < 1.8. A collapse passes it with its third step.
// Beside one busy process per core all threads are 2.2 times slower than quiet, where fewer are 1.2 times slower.
constexpr double kCap = 5;
constexpr double kSlow = 1.8;
constexpr double kSlowWindow = 12;
constexpr double kOver = 1.5;
constexpr double kWindow = 8;
// The quiet cost follows slowly upwards: depth makes steps dearer by and by, neighbours at once. Down it goes quickly: a
// few lucky steps among slow ones show what free cores could do, also after a reduction that did not seem to help.
constexpr double kDrift = 32;
constexpr double kLuck = 2;
// Two steps judge a reduction, the better one counts: each costs up to twice its time if it was wrong.
constexpr int kJudgeSteps = 2;
// A probe beside busy neighbours costs some 30 quiet steps, a reduced step 2: at 32 steps and more between probes, and
// twice as many after each that failed, the rate stays above 0.4 of the quiet one. At most 256, so that free cores
// are noticed within seconds.
constexpr int kFirstProbe = 32;
constexpr int kLastProbe = 256;
constexpr int kProbesToPass = 3;
constexpr double kClearlyFaster = 0.8;
// Beside busy neighbours fewer threads are some fifteen times faster; less than this may be noise.
constexpr double kMuchFaster = 0.6;

// Early enough that an engine which was started beside busy neighbours loses little; not the very first steps, which
// build graphs and touch fresh memory.
constexpr int kTrialStep = 4;

double Follow(double mean, double value, double window) { return mean == 0 ? value : mean + (value - mean) / window; }

int Reduced(const ThreadState& state) { return std::max(1, state.max_threads / 2); }

/// Back to all threads, with `cost` as the new normal.
ThreadState Restored(ThreadState state, double cost) {
  state.threads = state.max_threads;
  state.quiet_cost = cost;
  state.slowness = 1;
  state.slow_cost = 0;
  state.probe_interval = 0;
  state.judging = false;
  state.probing = false;
  return state;
}

ThreadState WithAllThreads(ThreadState state, double cost) {
  if (state.quiet_cost == 0) state.quiet_cost = cost;
  const double relative = cost / state.quiet_cost;
  state.slowness = Follow(state.slowness, std::min(relative, kCap), kSlowWindow);
  if (relative < kSlow) {
    state.quiet_cost = Follow(state.quiet_cost, cost, relative < 1 ? kLuck : kDrift);
    if (state.slowness < kOver) state.slow_cost = 0;
  } else {
    state.slow_cost = Follow(state.slow_cost, cost, kWindow);
  }
  const bool trial = state.steps < kTrialStep && ++state.steps == kTrialStep;
  if (state.max_threads == 1 || (state.slowness < kSlow && !trial)) return state;
  if (trial) state.slow_cost = state.quiet_cost * std::max(1.0, state.slowness);
  state.threads = Reduced(state);
  state.reduced_cost = 0;
  state.judging = true;
  state.steps_until_probe = kJudgeSteps;
  return state;
}

ThreadState Judge(ThreadState state, double cost) {
  state.reduced_cost = state.reduced_cost == 0 ? cost : std::min(state.reduced_cost, cost);
  if (--state.steps_until_probe > 0) return state;
  if (state.reduced_cost > kMuchFaster * state.slow_cost) return Restored(state, state.slow_cost);
  state.judging = false;
  state.probe_interval = kFirstProbe;
  state.steps_until_probe = state.probe_interval;
  return state;
}

ThreadState WithFewerThreads(ThreadState state, double cost) {
  state.reduced_cost = Follow(state.reduced_cost, cost, kWindow);
  if (--state.steps_until_probe > 0) return state;
  state.probing = true;
  state.probes_passed = 0;
  state.threads = state.max_threads;
  return state;
}

/// Where one thread is nearly as fast as all (memory is the limit), being back at the quiet cost is enough.
bool Pays(const ThreadState& state, double cost) {
  return cost < kClearlyFaster * state.reduced_cost || (cost < state.reduced_cost && cost < kSlow * state.quiet_cost);
}

ThreadState Probe(ThreadState state, double cost) {
  if (!Pays(state, cost)) {
    state.probing = false;
    state.threads = Reduced(state);
    state.probe_interval = std::min(2 * state.probe_interval, kLastProbe);
    state.steps_until_probe = state.probe_interval;
    return state;
  }
  return ++state.probes_passed < kProbesToPass ? state : Restored(state, cost);
}

}  // namespace

ThreadState NextThreads(ThreadState state, double cost) {
  if (cost <= 0) return state;
  if (state.judging) return Judge(state, cost);
  if (state.probing) return Probe(state, cost);
  return state.threads == state.max_threads ? WithAllThreads(state, cost) : WithFewerThreads(state, cost);
}

}  // namespace llamero
