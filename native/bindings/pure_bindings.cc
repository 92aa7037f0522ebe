#include "bindings/pure_bindings.h"

#include "bindings/values.h"
#include "embedder/packing.h"
#include "engine/plan.h"
#include "engine/prefill_budget.h"
#include "engine/text.h"
#include "engine/threads.h"

namespace llamero {
namespace {

PlanSequence ToPlanSequence(const Napi::Value& value) {
  const Napi::Object given = ToObject(value);
  return {.id = IntegerOf(given, "id"),
          .known = IntegerOf(given, "known"),
          .computed = IntegerOf(given, "computed"),
          .own = IntegerOf(given, "own"),
          .reusable = IntegerOf(given, "reusable"),
          .taken = IntegerOf(given, "taken"),
          .parked = BoolOf(given, "parked"),
          .waits = BoolOf(given, "waits"),
          .priority = static_cast<int>(IntegerOf(given, "priority")),
          .arrival = IntegerOf(given, "arrival"),
          .generating = BoolOf(given, "generating"),
          .draft = IntegerOf(given, "draft"),
          .boundary = IntegerOf(given, "boundary"),
          .whole = BoolOf(given, "whole")};
}

PrefillPace ToPace(const Napi::Value& value) {
  if (value.IsUndefined()) return {};
  const Napi::Object given = ToObject(value);
  PrefillPace pace{.token_ms = NumberOf(given, "tokenMs"),
                   .depth = IntegerOf(given, "depth"),
                   .beside = BoolOf(given, "beside"),
                   .mixed_steps = IntegerOf(given, "mixedSteps"),
                   .doubt_ms = NumberOf(given, "doubtMs")};
  const auto decode_ms = ArrayOf(given.Get("decodeMs"), ToNumber);
  std::copy_n(decode_ms.begin(), std::min(decode_ms.size(), pace.decode_ms.size()), pace.decode_ms.begin());
  return pace;
}

Napi::Value BudgetBy(const Napi::CallbackInfo& info, int64_t (*rule)(const PrefillPace&, const BudgetLimits&)) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Object limits = ToObject(info[1]);
    const int64_t budget = rule(ToPace(info[0]), {.decodes = IntegerOf(limits, "decodes"),
                                                  .depth = IntegerOf(limits, "depth"),
                                                  .deepest = IntegerOf(limits, "deepest"),
                                                  .added_ms = NumberOf(limits, "addedMs"),
                                                  .least_added_ms = NumberOf(limits, "leastAddedMs"),
                                                  .most = std::max<int64_t>(1, IntegerOf(limits, "most"))});
    return Napi::Number::New(info.Env(), static_cast<double>(budget));
  });
}

}  // namespace

Napi::Value PlanOneStep(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    const Napi::Object limits = ToObject(info[1]);
    const Plan plan = PlanStep(ArrayOf(info[0], ToPlanSequence), {.batch_size = IntegerOf(limits, "batchSize"),
                                                                  .max_sequences = IntegerOf(limits, "maxSequences"),
                                                                  .cells = IntegerOf(limits, "cells"),
                                                                  .shared = IntegerOf(limits, "shared"),
                                                                  .prefill_budget = IntegerOf(limits, "prefillBudget"),
                                                                  .brief_budget = IntegerOf(limits, "briefBudget"),
                                                                  .brief_size = IntegerOf(limits, "briefSize"),
                                                                  .draft_budget = IntegerOf(limits, "draftBudget"),
                                                                  .slices = BoolOf(limits, "slices")});
    const auto to_object = [&](const PlanRun& run) {
      auto object = Napi::Object::New(env);
      object.Set("id", static_cast<double>(run.id));
      object.Set("from", static_cast<double>(run.from));
      object.Set("count", static_cast<double>(run.count));
      object.Set("sample", run.sample);
      object.Set("draft", static_cast<double>(run.draft));
      return object;
    };
    auto result = Napi::Object::New(env);
    result.Set("runs", ToArray(env, plan.runs, to_object));
    result.Set("sliced", ToArray(env, plan.sliced, to_object));
    result.Set("preempted", ToArray(env, plan.preempted,
                                    [&](int64_t id) { return Napi::Number::New(env, static_cast<double>(id)); }));
    return result;
  });
}

Napi::Value LearnPrefillPace(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    const Napi::Object step = ToObject(info[1]);
    const PrefillPace pace = LearnPace(ToPace(info[0]), {.decodes = IntegerOf(step, "decodes"),
                                                         .prompt = IntegerOf(step, "prompt"),
                                                         .depth = IntegerOf(step, "depth"),
                                                         .ms = NumberOf(step, "ms"),
                                                         .sliced = BoolOf(step, "sliced")});
    auto result = Napi::Object::New(env);
    result.Set("decodeMs", ToArray(env, pace.decode_ms, [&](double ms) { return Napi::Number::New(env, ms); }));
    result.Set("tokenMs", pace.token_ms);
    result.Set("depth", static_cast<double>(pace.depth));
    result.Set("beside", pace.beside);
    result.Set("mixedSteps", static_cast<double>(pace.mixed_steps));
    result.Set("doubtMs", pace.doubt_ms);
    return result;
  });
}

Napi::Value PrefillBudgetOf(const Napi::CallbackInfo& info) { return BudgetBy(info, PrefillBudget); }
Napi::Value BriefBudgetOf(const Napi::CallbackInfo& info) { return BudgetBy(info, BriefBudget); }
Napi::Value BriefSizeOf(const Napi::CallbackInfo& info) { return BudgetBy(info, BriefSize); }

Napi::Value SliceMsOf(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto decodes = static_cast<int64_t>(ToNumber(info[1]));
    return Napi::Number::New(info.Env(), SliceMs(ToPace(info[0]), decodes));
  });
}

Napi::Value PackOneStep(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    const Napi::Object limits = ToObject(info[1]);
    const auto waiting = ArrayOf(info[0], [](const Napi::Value& value) {
      const Napi::Object given = ToObject(value);
      return PackInput{.length = IntegerOf(given, "length"), .computed = IntegerOf(given, "computed")};
    });
    const auto counts = PackStep(waiting, {.tokens = IntegerOf(limits, "tokens"),
                                           .inputs = IntegerOf(limits, "inputs"),
                                           .splits = BoolOf(limits, "splits")});
    return ToArray(env, counts, [&](int64_t count) { return Napi::Number::New(env, static_cast<double>(count)); });
  });
}

Napi::Value NextThreadState(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    const Napi::Object given = ToObject(info[0]);
    const ThreadState state = NextThreads({.threads = static_cast<int>(IntegerOf(given, "threads")),
                                           .max_threads = static_cast<int>(IntegerOf(given, "maxThreads")),
                                           .steps = static_cast<int>(IntegerOf(given, "steps")),
                                           .quiet_cost = NumberOf(given, "quietCost"),
                                           .slowness = NumberOf(given, "slowness"),
                                           .slow_cost = NumberOf(given, "slowCost"),
                                           .reduced_cost = NumberOf(given, "reducedCost"),
                                           .steps_until_probe = static_cast<int>(IntegerOf(given, "stepsUntilProbe")),
                                           .probe_interval = static_cast<int>(IntegerOf(given, "probeInterval")),
                                           .probes_passed = static_cast<int>(IntegerOf(given, "probesPassed")),
                                           .judging = BoolOf(given, "judging"),
                                           .probing = BoolOf(given, "probing")},
                                          ToNumber(info[1]));
    auto result = Napi::Object::New(env);
    result.Set("threads", state.threads);
    result.Set("steps", state.steps);
    result.Set("maxThreads", state.max_threads);
    result.Set("quietCost", state.quiet_cost);
    result.Set("slowness", state.slowness);
    result.Set("slowCost", state.slow_cost);
    result.Set("reducedCost", state.reduced_cost);
    result.Set("stepsUntilProbe", state.steps_until_probe);
    result.Set("probeInterval", state.probe_interval);
    result.Set("probesPassed", state.probes_passed);
    result.Set("judging", state.judging);
    result.Set("probing", state.probing);
    return result;
  });
}

Napi::Value AssembleText(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guard(env, [&]() -> Napi::Value {
    const auto pieces = ArrayOf(info[0], [](const Napi::Value& piece) {
      const auto bytes = CopyOf<uint8_t, Napi::Uint8Array>(piece, napi_uint8_array);
      return std::string(bytes.begin(), bytes.end());
    });
    TextAssembler assembler(ArrayOf(info[1], ToString));
    std::vector<std::string> texts;
    bool stopped = false;
    for (const std::string& piece : pieces) {
      StopMatcher::Outcome outcome = assembler.Add(piece);
      texts.push_back(std::move(outcome.text));
      stopped = outcome.stopped;
      if (stopped) break;
    }
    if (!stopped) texts.push_back(assembler.Finish());
    auto result = Napi::Object::New(env);
    result.Set("texts", ToArray(env, texts, [&](const std::string& text) { return Napi::String::New(env, text); }));
    result.Set("stopped", stopped);
    return result;
  });
}

}  // namespace llamero
