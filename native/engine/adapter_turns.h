#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace llamero {

/// Whose turn it is: a step computes requests of one adapter set, and changing the set costs llama.cpp a new graph. So a
/// set keeps the steps for a while, then the next one has them.
///
/// Higher priority goes first; of equal ones, the set that has waited longest. One that has waited for many turns goes
/// before all, so nobody starves. Pure but for what it remembers of the sets that are there.
class AdapterTurns {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit AdapterTurns(double turn_ms) : turn_ms_(turn_ms) {}

  /// The sets that have something to run, by key with the highest priority in each, in the order in which they should
  /// get the coming step.
  std::vector<std::string> Order(const std::map<std::string, int>& present, Time now);
  /// That set had a step.
  void Ran(const std::string& key, Time began, Time ended);

 private:
  double turn_ms_;
  std::map<std::string, Time> waits_since_;  // of the sets that are there: their last step, or when they came
  std::string current_;
  Time turn_began_{};
};

}  // namespace llamero
