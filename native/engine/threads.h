#pragma once

namespace llamero {

/// What the thread rule remembers between steps of one kind.
///
/// ggml's threads spin at barriers, so one busy neighbour on a core costs far more than its share: measured on two
/// cores, decode beside one busy process per core falls from 307 to 10 tokens/s with two threads, but only to 153 with
/// one. The engine sees the collapse itself, since it knows what such a step took before.
struct ThreadState {
  int threads = 1;
  int max_threads = 1;
  int steps = 0;            // of the first ones, until fewer threads have been tried once
  double quiet_cost = 0;    // ms per unit of work with all threads and free cores; 0: not known yet
  double slowness = 1;      // running mean of cost relative to quiet_cost
  double slow_cost = 0;     // what the slow steps cost before the threads were reduced; 0: none was slow
  double reduced_cost = 0;  // the same work with fewer threads; 0: not known yet
  int steps_until_probe = 0;
  int probe_interval = 0;
  int probes_passed = 0;
  bool judging = false;  // the threads were reduced a few steps ago: does it help?
  bool probing = false;
};

/// The rule after one more step that took `cost` ms per unit of work with `state.threads` threads: halves the threads
/// when steps are much slower than they were, and takes them back at once if fewer are no faster (then the work had
/// become dearer: a deeper context, other sizes of step). Once, early on, it tries fewer threads unasked: a model that
/// was opened beside busy neighbours has never seen a quiet step. Later it tries all threads from time to time and
/// stays with them when they pay. Pure.
ThreadState NextThreads(ThreadState state, double cost);

}  // namespace llamero
