#include "engine/draft_rule.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace llamero {
namespace {

// What is believed before anything was seen, and how many observations that weighs.
constexpr std::array<double, DraftOdds::kKinds> kPrior = {0.3, 0.5, 0.7, 0.85};
constexpr double kPriorWeight = 4;
constexpr double kForget = 1.0 / 32;
constexpr std::array<double, LeadOdds::kKinds> kLeadPrior = {0.35, 0.5, 0.7, 0.9};
// A model that was of no use is asked again after some 1,000 steps: a try in vain takes a few, and what it must read for
// that a few more.
constexpr double kFade = 1.0 / 512;

// Of an unknown size of step, relative to one token, for each further token. A first draft is short, so that it costs
// little if this is wrong.
constexpr double kGuess = 0.3;
// Faster down than up: a slow step has many reasons, a fast one has one.
constexpr double kUp = 0.25;
constexpr double kDown = 0.3;
constexpr double kMostSurprise = 3;
// A size that was dear once (a neighbour, a trial of fewer threads) is believed in less and less while it isn't used.
constexpr double kRelax = 1.0 / 1024;

constexpr double kLeastGain = 1.05;
// What drafts may lose: 2 % of the steps without them, and of what they have gained themselves enough to outlast the end
// of a copied run, where a whole draft is in vain.
constexpr double kEarn = 0.02;
constexpr double kMostEarned = 1;
constexpr double kMostGained = 8;
constexpr double kLeastBalance = -3;
constexpr int64_t kPlainEvery = 64;

size_t KindOf(int64_t length) { return length >= 16 ? 3 : length >= 8 ? 2 : length >= 4 ? 1 : 0; }

double Blend(double hits, double tries, double prior) { return (hits + prior * kPriorWeight) / (tries + kPriorWeight); }

double Probability(const DraftOdds& odds, int64_t length) {
  const size_t kind = KindOf(length);
  return Blend(odds.hits[kind], odds.tries[kind], kPrior[kind]);
}

template <size_t Kinds>
void Count(std::array<double, Kinds>& hits, std::array<double, Kinds>& tries, size_t kind, bool hit) {
  hits[kind] += (hit ? 1 : 0) - hits[kind] * kForget;
  tries[kind] += 1 - tries[kind] * kForget;
}

size_t KindOfLead(double lead) { return lead >= 3 ? 3 : lead >= 1.5 ? 2 : lead >= 0.5 ? 1 : 0; }

double GuessOf(double tokens) { return 1 + kGuess * (tokens - 1); }

double TokensAt(size_t size) { return static_cast<double>(int64_t{2} << size); }

/// Of a size that was not measured: on the line through its neighbours that were, or through one token and the guess.
/// Beyond the largest one no further token is taken to cost more than the guess: with AMX a step of two tokens takes
/// nearly as long as two steps, and one of eight no longer than three.
double RatioAt(const StepCosts& costs, size_t size) {
  if (costs.ratio[size] > 0) return costs.ratio[size];
  double tokens_below = 1;
  double ratio_below = 1;
  double slope = kGuess;
  for (size_t other = 0; other < StepCosts::kSizes; other++) {
    if (costs.ratio[other] <= 0) continue;
    slope = (costs.ratio[other] - ratio_below) / (TokensAt(other) - tokens_below);
    if (other > size) break;
    slope = std::min(slope, kGuess);
    tokens_below = TokensAt(other);
    ratio_below = costs.ratio[other];
  }
  return ratio_below + std::max(0.0, slope) * (TokensAt(size) - tokens_below);
}

/// Where a number of tokens lies between two sizes; `below` is -1 under the first one, which is a single token.
struct Between {
  int below = -1;
  double share = 0;  // of the way up
};

Between Locate(int64_t tokens) {
  const double exact = static_cast<double>(std::clamp<int64_t>(tokens, 1, int64_t{1} << StepCosts::kSizes));
  const int below = std::min<int>(std::bit_width(static_cast<uint64_t>(exact)) - 2, int{StepCosts::kSizes} - 2);
  const double low = below < 0 ? 1 : TokensAt(below);
  return {below, (exact - low) / low};
}

double RatioOf(const StepCosts& costs, int64_t tokens) {
  const Between at = Locate(tokens);
  const double low = at.below < 0 ? 1 : RatioAt(costs, at.below);
  const double within = low + at.share * (RatioAt(costs, at.below + 1) - low);
  constexpr int64_t kLargest = int64_t{1} << StepCosts::kSizes;
  return tokens <= kLargest ? within : within * static_cast<double>(tokens) / kLargest;
}

double Follow(double mean, double value) { return mean + (value - mean) * (value < mean ? kDown : kUp); }

StepCosts LearnCost(StepCosts costs, int64_t tokens, double milliseconds) {
  if (costs.single <= 0) costs.single = milliseconds / RatioOf(costs, tokens);
  if (tokens <= 1) {
    costs.single = Follow(costs.single, std::min(milliseconds, kMostSurprise * costs.single));
    return costs;
  }
  const Between at = Locate(tokens);
  const double believed = RatioOf(costs, tokens);
  const double seen = std::min(milliseconds / costs.single, kMostSurprise * believed);
  const double low = at.below < 0 ? 0 : 1 - at.share;
  // The error goes to the two sizes around, more of it to the nearer one; a size that was only guessed takes it whole.
  const auto correct = [&](int size, double weight) {
    if (size < 0 || weight <= 0) return;
    double& ratio = costs.ratio[size];
    const bool known = ratio > 0;
    const double target = RatioAt(costs, size) + (seen - believed) * weight / (low * low + at.share * at.share);
    ratio = std::max(0.5, known ? Follow(ratio, target) : target);
  };
  correct(at.below, low);
  correct(at.below + 1, at.share);
  return costs;
}

/// The largest step that is known well enough: twice the largest size that was measured.
int64_t LargestStep(const StepCosts& costs) {
  size_t known = StepCosts::kSizes;
  while (known > 0 && costs.ratio[known - 1] == 0) known--;
  return int64_t{4} << std::min(known, StepCosts::kSizes - 2);
}

}  // namespace

DraftOdds LearnMatch(DraftOdds odds, int64_t length, bool hit) {
  Count(odds.hits, odds.tries, KindOf(length), hit);
  return odds;
}

LeadOdds LearnLead(LeadOdds odds, double lead, bool hit) {
  Count(odds.hits, odds.tries, KindOfLead(lead), hit);
  return odds;
}

LeadOdds Fade(LeadOdds odds) {
  for (double& hits : odds.hits) hits *= 1 - kFade;
  for (double& tries : odds.tries) tries *= 1 - kFade;
  return odds;
}

double ChanceOf(const LeadOdds& own, const LeadOdds& all, double lead) {
  const size_t kind = KindOfLead(lead);
  return Blend(own.hits[kind], own.tries[kind], Blend(all.hits[kind], all.tries[kind], kLeadPrior[kind]));
}

double MeanChance(const LeadOdds& own, const LeadOdds& all) {
  const auto sum = [](const std::array<double, LeadOdds::kKinds>& numbers) {
    return std::accumulate(numbers.begin(), numbers.end(), 0.0);
  };
  const double prior = sum(kLeadPrior) / LeadOdds::kKinds;
  return Blend(sum(own.hits), sum(own.tries), Blend(sum(all.hits), sum(all.tries), prior));
}

double CostOf(const StepCosts& costs, int64_t tokens) { return costs.single * RatioOf(costs, tokens); }

StepCosts LearnStep(StepCosts costs, const StepReport& step) {
  if (step.milliseconds <= 0 || step.tokens <= 0) return costs;
  const int64_t plain = step.tokens - step.drafted;
  const double plain_ms = costs.single > 0 ? CostOf(costs, plain) : step.milliseconds;
  if (step.drafted == 0) {
    costs.drafted = 0;
    if (costs.balance < kMostEarned) costs.balance += kEarn;
    for (size_t size = 0; size < StepCosts::kSizes; size++) {
      double& ratio = costs.ratio[size];
      ratio = std::min(ratio, std::max(ratio * (1 - kRelax), GuessOf(TokensAt(size))));
    }
  } else {
    costs.drafted++;
    const double gained = static_cast<double>(plain + step.accepted) / static_cast<double>(plain);
    costs.balance += gained - (costs.single > 0 ? step.milliseconds / plain_ms : gained);
  }
  costs.balance -= step.drafting_ms / plain_ms;
  // What a draft model must read first is an investment: it takes what is there, but no drafts.
  costs.balance -= std::clamp(step.catching_up_ms / plain_ms, 0.0, std::max(0.0, costs.balance));
  costs.balance = std::clamp(costs.balance, kLeastBalance, kMostGained);
  return step.first_of_size ? costs : LearnCost(costs, step.tokens, step.milliseconds);
}

DraftAnswer DraftLength(const StepCosts& costs, const DraftOdds& odds, const DraftQuestion& question) {
  const bool nothing = question.length == 0 && question.chance <= 0;
  if (nothing || costs.single <= 0 || costs.balance < 0 || costs.drafted >= kPlainEvery) return {};
  const int64_t most = std::min(question.most, LargestStep(costs) - question.tokens);
  const double plain = CostOf(costs, question.tokens);
  const double affordable = plain * (1 + costs.balance - kLeastBalance);  // if nothing is accepted
  DraftAnswer best;
  double best_rate = question.expected / plain * kLeastGain;
  double chance = 1;
  double expected = 0;
  for (int64_t count = 1; count <= most; count++) {
    chance *= question.chance > 0 ? question.chance : Probability(odds, question.length + count - 1);
    expected += chance;
    const double drafting = question.fixed_ms + question.token_ms * static_cast<double>(count);
    const double cost = CostOf(costs, question.tokens + count) + drafting;
    if (cost > affordable) break;
    const double here = (question.expected + expected) / cost;
    if (here <= best_rate) continue;
    best_rate = here;
    best = {count, expected, here};
  }
  return best;
}

double LeastChance(const StepCosts& costs, const DraftQuestion& question) {
  if (costs.single <= 0) return 0;
  const double plain = CostOf(costs, question.tokens);
  const double more = CostOf(costs, question.tokens + 1) - plain + question.token_ms;
  return std::max(0.0, more) * question.expected / plain;
}

}  // namespace llamero
