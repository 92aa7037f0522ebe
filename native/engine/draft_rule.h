#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace llamero {

// How many tokens it pays to propose. A proposed token costs what it lengthens the step by and is worth one token if the
// model agrees; both are measured, never assumed: on one machine a step of 8 tokens takes as long as one of a single
// token, on another four times that. All functions here are pure.

/// How often the model went on as an earlier place did, by how many tokens agreed before. It is counted for every token,
/// proposed or not, so text that repeats nothing costs nothing to find out about.
struct DraftOdds {
  static constexpr size_t kKinds = 4;  // by length of the match: 2, 4, 8, 16 and more
  std::array<double, kKinds> hits{};
  std::array<double, kKinds> tries{};
};

/// The odds after a token behind a match of that length: was it the one that had followed there?
DraftOdds LearnMatch(DraftOdds odds, int64_t length, bool hit);

/// How often tokens of a draft model were what the model said, given that those before them were, by how far its best
/// logit was ahead of the next one.
struct LeadOdds {
  static constexpr size_t kKinds = 4;  // by the lead: up to 0.5, 1.5 and 3, and more
  std::array<double, kKinds> hits{};
  std::array<double, kKinds> tries{};
};

LeadOdds LearnLead(LeadOdds odds, double lead, bool hit);
/// After a step in which the draft model was not asked: what is known of it fades, so that one day it is asked again.
LeadOdds Fade(LeadOdds odds);

/// The chance of a token with that lead in a text with the odds `own`; while little is known of it, by all texts.
double ChanceOf(const LeadOdds& own, const LeadOdds& all, double lead);
/// Of any token, as often as there are such and such leads.
double MeanChance(const LeadOdds& own, const LeadOdds& all);

/// What the steps of an engine take, and whether drafts have paid.
struct StepCosts {
  static constexpr size_t kSizes = 6;
  double single = 0;                   // ms of a step of one token; 0: nothing is known
  std::array<double, kSizes> ratio{};  // of steps of 2, 4, 8, 16, 32 and 64 tokens to that; 0: not known yet
  double balance = 1;                  // time that drafts may still lose, in plain steps
  int64_t drafted = 0;                 // steps with drafts since the last one without
};

/// A step of generating sequences only.
struct StepReport {
  int64_t tokens = 0;  // in the batch
  int64_t drafted = 0;
  int64_t accepted = 0;
  bool first_of_size = false;  // takes up to three times as long as later ones, which says nothing about them
  double milliseconds = 0;
  double drafting_ms = 0;     // what a draft model took for this step, beside them
  double catching_up_ms = 0;  // and to compute what it had not seen yet of the texts
};

StepCosts LearnStep(StepCosts costs, const StepReport& step);

/// ms that a step of so many tokens takes, by what is known.
double CostOf(const StepCosts& costs, int64_t tokens);

/// A step as planned so far, and the sequence that might propose something in it.
struct DraftQuestion {
  int64_t tokens = 1;   // in the batch, without this draft
  double expected = 1;  // tokens that the step is expected to give
  int64_t length = 0;   // of this sequence's match; 0: none
  int64_t most = 0;     // tokens that may be proposed
  // Of a draft model:
  double chance = 0;    // that a token is right if those before it are; 0: the match tells
  double token_ms = 0;  // to find a token
  double fixed_ms = 0;  // to find any
};

/// How many tokens to propose and how many of them the model is expected to accept.
struct DraftAnswer {
  int64_t count = 0;
  double expected = 0;
  double rate = 0;  // tokens per ms that the step gives with them, those of others included
};

/// The length of draft that gives the most tokens per time; none where that gains too little, where drafts have lost
/// more than they may (some 2 % of the time), and now and then to see what a step costs without.
DraftAnswer DraftLength(const StepCosts& costs, const DraftOdds& odds, const DraftQuestion& question);

/// The chance below which one more token of a draft model is not worth its time.
double LeastChance(const StepCosts& costs, const DraftQuestion& question);

}  // namespace llamero
