#include "engine/adapter_turns.h"

#include <algorithm>
#include <tuple>

namespace llamero {
namespace {

// Turns after which a set goes first whatever its priority.
constexpr double kPatience = 8;

double MillisecondsSince(AdapterTurns::Time then, AdapterTurns::Time now) {
  return std::chrono::duration<double, std::milli>(now - then).count();
}

}  // namespace

std::vector<std::string> AdapterTurns::Order(const std::map<std::string, int>& present, Time now) {
  std::erase_if(waits_since_, [&](const auto& entry) { return !present.contains(entry.first); });
  for (const auto& [key, priority] : present) waits_since_.try_emplace(key, now);

  const bool turn_is_over = MillisecondsSince(turn_began_, now) >= turn_ms_;
  const auto rank = [&](const std::string& key) {
    const Time since = waits_since_.at(key);
    const bool impatient = MillisecondsSince(since, now) > kPatience * turn_ms_;
    const bool goes_on = key == current_ && !turn_is_over;
    return std::make_tuple(!impatient, -present.at(key), !goes_on, since, key);
  };
  std::vector<std::string> order;
  for (const auto& [key, priority] : present) order.push_back(key);
  std::sort(order.begin(), order.end(), [&](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
  return order;
}

void AdapterTurns::Ran(const std::string& key, Time began, Time ended) {
  if (key != current_ || MillisecondsSince(turn_began_, began) >= turn_ms_) turn_began_ = began;
  current_ = key;
  waits_since_[key] = ended;
}

}  // namespace llamero
