#include "engine/threads.h"

#include <algorithm>

namespace llamero {
namespace {

// A single hiccup (a page fault, a garbage collection of the host) counts at most eightfold, so that one alone never
// passes the limit: 1 + (8 - 1) / 8 < 2.
constexpr double kCap = 8;
constexpr double kSlow = 2;
constexpr double kWindow = 8;
// The quiet cost follows slowly: depth makes steps dearer by and by, neighbours at once.
constexpr double kDrift = 32;
constexpr int kFirstProbe = 64;
constexpr int kLastProbe = 1024;
constexpr int kProbesToPass = 3;
constexpr double kClearlyFaster = 0.8;

double Follow(double mean, double value, double window) { return mean == 0 ? value : mean + (value - mean) / window; }

ThreadState WithAllThreads(ThreadState state, double cost) {
  if (state.quiet_cost == 0) state.quiet_cost = cost;
  const double relative = cost / state.quiet_cost;
  state.slowness = Follow(state.slowness, std::min(relative, kCap), kWindow);
  if (relative < kSlow) state.quiet_cost = Follow(state.quiet_cost, cost, relative < 1 ? kWindow : kDrift);
  if (state.slowness < kSlow || state.max_threads == 1) return state;
  state.threads = std::max(1, state.max_threads / 2);
  state.reduced_cost = 0;
  state.probe_interval = state.probe_interval == 0 ? kFirstProbe : std::min(2 * state.probe_interval, kLastProbe);
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

ThreadState Probe(ThreadState state, double cost) {
  if (cost > kClearlyFaster * state.reduced_cost) {
    state.probing = false;
    state.threads = std::max(1, state.max_threads / 2);
    state.probe_interval = std::min(2 * state.probe_interval, kLastProbe);
    state.steps_until_probe = state.probe_interval;
    return state;
  }
  if (++state.probes_passed < kProbesToPass) return state;
  state.probing = false;
  state.slowness = 1;
  state.quiet_cost = cost;
  state.probe_interval = 0;
  return state;
}

}  // namespace

ThreadState NextThreads(ThreadState state, double cost) {
  if (cost <= 0) return state;
  if (state.probing) return Probe(state, cost);
  return state.threads == state.max_threads ? WithAllThreads(state, cost) : WithFewerThreads(state, cost);
}

}  // namespace llamero
