#include "bindings/draft_bindings.h"

#include <algorithm>

#include "bindings/values.h"
#include "engine/draft_rule.h"
#include "engine/ngram.h"

namespace llamero {
namespace {

template <size_t Size>
std::array<double, Size> NumbersOf(const Napi::Value& value) {
  const std::vector<double> numbers = ArrayOf(value, ToNumber);
  if (numbers.size() != Size) throw Failure("ERR_INTERNAL", "The addon was called with a list of another length.");
  std::array<double, Size> result{};
  std::copy(numbers.begin(), numbers.end(), result.begin());
  return result;
}

template <size_t Size>
Napi::Array ToJs(Napi::Env env, const std::array<double, Size>& numbers) {
  return ToArray(env, numbers, [&](double number) { return Napi::Number::New(env, number); });
}

template <typename Odds>
Odds ToOdds(const Napi::Value& value) {
  const Napi::Object given = ToObject(value);
  return {NumbersOf<Odds::kKinds>(given.Get("hits")), NumbersOf<Odds::kKinds>(given.Get("tries"))};
}

template <typename Odds>
Napi::Object OddsToJs(Napi::Env env, const Odds& odds) {
  auto result = Napi::Object::New(env);
  result.Set("hits", ToJs(env, odds.hits));
  result.Set("tries", ToJs(env, odds.tries));
  return result;
}

StepCosts ToCosts(const Napi::Value& value) {
  const Napi::Object given = ToObject(value);
  return {.single = NumberOf(given, "single"),
          .ratio = NumbersOf<StepCosts::kSizes>(given.Get("ratio")),
          .balance = NumberOf(given, "balance"),
          .drafted = IntegerOf(given, "drafted")};
}

}  // namespace

Napi::Value FindNgram(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    const std::vector<llama_token> tokens = IntegersOf(info[0]);
    const int64_t count = ToInteger(info[2]);
    if (tokens.empty() || count < 0) throw Failure("ERR_INTERNAL", "There is nothing to look for.");
    const std::span<const llama_token> all(tokens);
    NgramIndex index;
    for (size_t size = std::clamp<int64_t>(ToInteger(info[1]), 1, all.size()); size < all.size(); size++) {
      index.Read(all.first(size));
    }
    while (!index.Read(all)) {
    }
    const NgramIndex::Match match = index.Find(all);
    auto result = Napi::Object::New(env);
    result.Set("length", static_cast<double>(match.length));
    result.Set("tokens", ToInt32Array(env, match.length == 0 ? std::vector<llama_token>()
                                                             : Continuation(all, match.next, count)));
    return result;
  });
}

Napi::Value LearnOneMatch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    return OddsToJs(env, LearnMatch(ToOdds<DraftOdds>(info[0]), ToInteger(info[1]), ToBool(info[2])));
  });
}

Napi::Value LearnOneLead(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    return OddsToJs(env, LearnLead(ToOdds<LeadOdds>(info[0]), ToNumber(info[1]), ToBool(info[2])));
  });
}

Napi::Value FadeLeads(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value { return OddsToJs(env, Fade(ToOdds<LeadOdds>(info[0]))); });
}

Napi::Value ChanceOfLead(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    const auto own = ToOdds<LeadOdds>(info[0]);
    const auto all = ToOdds<LeadOdds>(info[1]);
    return Napi::Number::New(env, info[2].IsUndefined() ? MeanChance(own, all) : ChanceOf(own, all, ToNumber(info[2])));
  });
}

Napi::Value LearnOneStep(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    const Napi::Object given = ToObject(info[1]);
    const StepCosts costs = LearnStep(ToCosts(info[0]), {.tokens = IntegerOf(given, "tokens"),
                                                         .drafted = IntegerOf(given, "drafted"),
                                                         .accepted = IntegerOf(given, "accepted"),
                                                         .first_of_size = BoolOf(given, "firstOfSize"),
                                                         .milliseconds = NumberOf(given, "milliseconds"),
                                                         .drafting_ms = NumberOf(given, "draftingMs"),
                                                         .catching_up_ms = NumberOf(given, "catchingUpMs")});
    auto result = Napi::Object::New(env);
    result.Set("single", costs.single);
    result.Set("ratio", ToJs(env, costs.ratio));
    result.Set("balance", costs.balance);
    result.Set("drafted", static_cast<double>(costs.drafted));
    return result;
  });
}

Napi::Value LengthOfDraft(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    const Napi::Object given = ToObject(info[2]);
    const DraftAnswer answer = DraftLength(ToCosts(info[0]), ToOdds<DraftOdds>(info[1]),
                                           {.tokens = std::max<int64_t>(1, IntegerOf(given, "tokens")),
                                            .expected = NumberOf(given, "expected"),
                                            .length = IntegerOf(given, "length"),
                                            .most = IntegerOf(given, "most"),
                                            .chance = NumberOf(given, "chance"),
                                            .token_ms = NumberOf(given, "tokenMs"),
                                            .fixed_ms = NumberOf(given, "fixedMs")});
    return Napi::Number::New(env, static_cast<double>(answer.count));
  });
}

}  // namespace llamero
