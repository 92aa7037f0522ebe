#include "bindings/engine_bindings.h"

#include "bindings/adapter_bindings.h"
#include "bindings/engine_owner.h"
#include "bindings/media_bindings.h"
#include "bindings/model_bindings.h"
#include "bindings/values.h"
#include "free_memory.h"
#include "job.h"
#include "memory_need.h"

namespace llamero {
namespace {

int64_t ToToken(const Napi::Value& value, const Model& model) {
  const int64_t token = ToInteger(value);
  RequireToken(token, model);
  return token;
}

GrammarTrigger ToTrigger(const Napi::Value& value, const Model& model) {
  const Napi::Object given = ToObject(value);
  if (StringOf(given, "kind") == "pattern") return {StringOf(given, "pattern")};
  return {"", static_cast<llama_token>(ToToken(given.Get("token"), model))};
}

std::optional<ThinkingSpec> ToThinking(const Napi::Value& value) {
  if (value.IsUndefined()) return std::nullopt;
  const Napi::Object given = ToObject(value);
  return ThinkingSpec{.start = StringOf(given, "start"),
                      .ends = ArrayOf(given.Get("ends"), ToString),
                      .prefix = StringOf(given, "prefix"),
                      .max_tokens = IntegerOf(given, "maxTokens"),
                      .closing = StringOf(given, "closing")};
}

SamplerSpec ToSampler(const Napi::Value& value, const Model& model) {
  const Napi::Object given = ToObject(value);
  const auto number = [&](const char* key) { return static_cast<float>(NumberOf(given, key)); };
  const auto integer = [&](const char* key) { return static_cast<int>(IntegerOf(given, key)); };
  SamplerSpec spec{.seed = static_cast<uint32_t>(IntegerOf(given, "seed")),
                   .temperature = number("temperature"),
                   .top_k = integer("topK"),
                   .top_p = number("topP"),
                   .min_p = number("minP"),
                   .typical_p = number("typicalP"),
                   .repeat_penalty = number("repeatPenalty"),
                   .repeat_last_n = std::max(0, integer("repeatLastN")),
                   .presence_penalty = number("presencePenalty"),
                   .frequency_penalty = number("frequencyPenalty"),
                   .dry_multiplier = number("dryMultiplier"),
                   .dry_base = number("dryBase"),
                   .dry_allowed_length = integer("dryAllowedLength"),
                   .dry_last_n = std::max(0, integer("dryLastN")),
                   .dry_breakers = ArrayOf(given.Get("dryBreakers"), ToString),
                   .xtc_probability = number("xtcProbability"),
                   .xtc_threshold = number("xtcThreshold"),
                   .mirostat = integer("mirostat"),
                   .mirostat_tau = number("mirostatTau"),
                   .mirostat_eta = number("mirostatEta"),
                   .biases = {},
                   .grammar = StringOf(given, "grammar"),
                   .grammar_lazy = BoolOf(given, "grammarLazy"),
                   .grammar_triggers = ArrayOf(given.Get("grammarTriggers"),
                                               [&](const Napi::Value& trigger) { return ToTrigger(trigger, model); }),
                   .grammar_prefix = StringOf(given, "grammarPrefix"),
                   .thinking = ToThinking(given.Get("thinking"))};
  const auto tokens = ToTokens(given.Get("biasTokens"), model);
  const auto values = FloatsOf(given.Get("biasValues"));
  if (tokens.size() != values.size()) throw Failure("ERR_INTERNAL", "Biases and their tokens differ in number.");
  for (size_t i = 0; i < tokens.size(); i++) spec.biases.push_back({tokens[i], values[i]});
  return spec;
}

/// Every id beyond the vocabulary must be one of a medium that stands there.
void RequireTokens(const Request& request, const Model& model) {
  auto span = request.media.begin();
  const auto size = static_cast<int64_t>(request.tokens.size());
  for (int64_t at = 0; at < size; at++) {
    if (span != request.media.end() && span->begin == at) {
      at += span->chunk->tokens - 1;
      ++span;
      continue;
    }
    RequireToken(request.tokens[at], model);
  }
}

Request ToRequest(const Napi::Value& value, const Model& model, const ContextOptions& context) {
  const Napi::Object given = ToObject(value);
  Request request{.tokens = IntegersOf(given.Get("tokens")),
                  .media = {},
                  .max_tokens = IntegerOf(given, "maxTokens"),
                  .stops = ArrayOf(given.Get("stop"), ToString),
                  .ignore_end = BoolOf(given, "ignoreEos"),
                  .sampler = ToSampler(given.Get("sampler"), model),
                  .logprobs = static_cast<int>(IntegerOf(given, "logprobs")),
                  .priority = static_cast<int>(IntegerOf(given, "priority")),
                  .timeout_ms = IntegerOf(given, "timeoutMs"),
                  .queue_timeout_ms = IntegerOf(given, "queueTimeoutMs"),
                  .progress = BoolOf(given, "progress"),
                  .buffer_tokens = std::max<int64_t>(1, IntegerOf(given, "bufferTokens")),
                  .cache_root = {},
                  .session = IntegerOf(given, "session"),
                  .shift = {.at = IntegerOf(given, "shiftAt"),
                            .keep = IntegerOf(given, "shiftKeep"),
                            .drop = IntegerOf(given, "shiftDrop")},
                  .adapters = ToAdapterSet(given.Get("adapters"), model),
                  .draft_tokens = std::max<int64_t>(0, IntegerOf(given, "draftTokens")),
                  .adapt_drafts = BoolOf(given, "adaptDrafts"),
                  .draft_model = BoolOf(given, "draftModel"),
                  .preserved_tokens = ToTokens(given.Get("preservedTokens"), model)};
  request.sampler.written_tokens = request.preserved_tokens;
  request.media = ToMedia(given.Get("media"), request.tokens, model);
  request.cache_root = request.adapters->Root(StringOf(given, "cacheKey"));
  if (request.tokens.empty()) throw Failure("ERR_OPTION_INVALID", "A prompt needs at least one token.");
  RequireTokens(request, model);
  const Shift& shift = request.shift;
  const bool shrinks = shift.keep >= 0 && shift.drop >= 1 && shift.keep + shift.drop < shift.at;
  if (shift.at != 0 && !shrinks) throw Failure("ERR_INTERNAL", "A shift must drop some tokens and leave some.");
  if (static_cast<int64_t>(request.tokens.size()) > context.cells) {
    throw Failure("ERR_CONTEXT_FULL", "The prompt has " + std::to_string(request.tokens.size()) +
                                          " tokens, but the context holds " + std::to_string(context.cells) + ".");
  }
  return request;
}

DiskTierOptions ToDiskTierOptions(const Napi::Value& value) {
  if (value.IsUndefined()) return {};
  const Napi::Object given = ToObject(value);
  return {.directory = StringOf(given, "directory"),
          .fingerprint = StringOf(given, "fingerprint"),
          .bytes = IntegerOf(given, "bytes")};
}

EngineOptions ToEngineOptions(const Napi::Value& value) {
  const Napi::Object given = ToObject(value);
  constexpr int64_t kMostSequences = 256;  // llama_max_parallel_sequences()
  constexpr int64_t kMostRollback = 64;
  EngineOptions options{
      .loop = {.context = {.cells = IntegerOf(given, "contextSize"),
                           .max_sequences = IntegerOf(given, "maxSequences"),
                           .slots = IntegerOf(given, "maxSequences") + IntegerOf(given, "cachedSequences"),
                           .batch_size = IntegerOf(given, "batchSize"),
                           .micro_batch_size = IntegerOf(given, "microBatchSize"),
                           .rollback = IntegerOf(given, "rollback"),
                           .threads = static_cast<int>(IntegerOf(given, "threads")),
                           .flash_attention = StringOf(given, "flashAttention"),
                           .own_kernels = BoolOf(given, "ownKernels"),
                           .key_type = StringOf(given, "keyType"),
                           .value_type = StringOf(given, "valueType")},
               .adapt_threads = BoolOf(given, "adaptThreads"),
               .cache = {.idle_limit = IntegerOf(given, "cacheTokens"),
                         .snapshot_bytes = IntegerOf(given, "cacheBytes"),
                         .disk = ToDiskTierOptions(given.Get("cacheFiles"))},
               .step_target_ms = NumberOf(given, "stepTargetMs")},
      .queue_limit = IntegerOf(given, "queueLimit")};
  const ContextOptions& context = options.loop.context;
  const bool valid = context.cells >= 1 && context.cells <= INT32_MAX && context.max_sequences >= 1 &&
                     context.slots >= context.max_sequences && context.slots <= kMostSequences &&
                     context.batch_size >= 1 && context.batch_size <= INT32_MAX && context.micro_batch_size >= 1 &&
                     context.rollback >= 0 && context.rollback <= kMostRollback && context.threads >= 1 &&
                     context.threads <= GGML_MAX_N_THREADS && options.queue_limit >= 0 &&
                     options.loop.cache.idle_limit >= 0 && options.loop.cache.snapshot_bytes >= 0;
  if (!valid) throw Failure("ERR_INTERNAL", "The engine was asked for with options out of range.");
  return options;
}

}  // namespace

Napi::Value FreeMemoryNow(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    auto result = Napi::Object::New(info.Env());
    result.Set("mainBytes", static_cast<double>(FreeMemory(ToString(info[0]))));
    result.Set("gpuBytes", static_cast<double>(FreeGpuMemory()));
    return result;
  });
}

Napi::Value MemoryNeedOf(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const MemoryNeed need = NeedOf(*OpenModel(info[0]), ToEngineOptions(info[1]).loop.context);
    auto result = Napi::Object::New(info.Env());
    const auto set = [&](const char* key, int64_t bytes) { result.Set(key, static_cast<double>(bytes)); };
    set("weightsBytes", need.weights);
    set("cellBytes", need.per_cell);
    set("sequenceBytes", need.per_sequence);
    set("bufferBytes", need.buffers);
    set("bufferCellBytes", need.buffers_per_cell);
    result.Set("gpuShare", need.gpu_share);
    return result;
  });
}

Napi::Value EngineCreate(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto model = OpenModel(info[0]);
    const EngineOptions options = ToEngineOptions(info[1]);
    if (!info[2].IsFunction()) throw Failure("ERR_INTERNAL", "engineCreate needs a function for news.");
    const auto draft_model = info[3].IsUndefined() ? nullptr : OpenModel(info[3]);
    const auto on_news = std::make_shared<Napi::FunctionReference>(Napi::Persistent(info[2].As<Napi::Function>()));
    return Job<std::unique_ptr<Engine>>::Start(
        info.Env(), {.work = [=] { return std::make_unique<Engine>(model, draft_model, options); },
                     .convert = [=](Napi::Env env, std::unique_ptr<Engine>& engine) -> Napi::Value {
                       auto handle = std::make_shared<EngineHandle>(env, std::move(engine), std::move(*on_news));
                       return ToHandle(env, std::make_shared<EngineOwner>(EngineOwner{model, std::move(handle)}));
                     }});
  });
}

Napi::Value EngineInfo(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const ContextOptions& context = FromHandle<EngineOwner>(info[0])->handle->engine().context_options();
    auto result = Napi::Object::New(info.Env());
    result.Set("contextSize", static_cast<double>(context.cells));
    result.Set("maxSequences", static_cast<double>(context.max_sequences));
    result.Set("batchSize", static_cast<double>(context.batch_size));
    result.Set("microBatchSize", static_cast<double>(context.micro_batch_size));
    result.Set("threads", context.threads);
    return result;
  });
}

Napi::Value EngineSubmit(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto owner = FromHandle<EngineOwner>(info[0]);
    Engine& engine = owner->handle->engine();
    const int64_t id = engine.Submit(ToRequest(info[1], owner->open_model(), engine.context_options()));
    owner->handle->KeepAlive();
    return Napi::Number::New(info.Env(), static_cast<double>(id));
  });
}

Napi::Value EngineCancel(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto owner = FromHandle<EngineOwner>(info[0]);
    const auto engine = owner->handle->engine_or_null();
    if (engine && engine->Cancel(ToInteger(info[1]))) owner->handle->KeepAlive();
    return info.Env().Undefined();
  });
}

Napi::Value EngineAcknowledge(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto owner = FromHandle<EngineOwner>(info[0]);
    const auto engine = owner->handle->engine_or_null();
    if (!engine) return info.Env().Undefined();
    engine->Acknowledge(ToInteger(info[1]), ToInteger(info[2]));
    owner->handle->KeepAlive();
    return info.Env().Undefined();
  });
}

Napi::Value EngineStatistics(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const EngineStats stats = FromHandle<EngineOwner>(info[0])->handle->engine().Stats();
    auto result = Napi::Object::New(info.Env());
    const auto set = [&](const char* key, double value) { result.Set(key, value); };
    set("steps", static_cast<double>(stats.steps));
    set("promptTokens", static_cast<double>(stats.prompt_tokens));
    set("outputTokens", static_cast<double>(stats.output_tokens));
    set("draftTokens", static_cast<double>(stats.draft_tokens));
    set("acceptedTokens", static_cast<double>(stats.accepted_tokens));
    set("draftModelSteps", static_cast<double>(stats.draft_model_steps));
    set("draftModelMs", stats.draft_model_ms);
    set("running", static_cast<double>(stats.running));
    set("waiting", static_cast<double>(stats.waiting));
    set("parked", static_cast<double>(stats.parked));
    set("preemptions", static_cast<double>(stats.preemptions));
    set("cellsUsed", static_cast<double>(stats.cells_used));
    set("cellsCached", static_cast<double>(stats.cells_cached));
    set("cachedTokens", static_cast<double>(stats.cached_tokens));
    set("evictions", static_cast<double>(stats.cache.evictions));
    set("cellHits", static_cast<double>(stats.cache.cell_hits));
    set("checkpointHits", static_cast<double>(stats.cache.checkpoint_hits));
    set("memoryHits", static_cast<double>(stats.cache.memory_hits));
    set("snapshotsSaved", static_cast<double>(stats.cache.saved));
    set("snapshotsDropped", static_cast<double>(stats.snapshots_dropped));
    set("snapshots", static_cast<double>(stats.snapshots));
    set("snapshotBytes", static_cast<double>(stats.snapshot_bytes));
    set("diskHits", static_cast<double>(stats.cache.disk_hits));
    set("diskFiles", static_cast<double>(stats.disk_files));
    set("diskBytes", static_cast<double>(stats.disk_bytes));
    set("threads", static_cast<double>(stats.threads));
    set("betweenDecodesMs", stats.between_decodes_ms);
    set("decodeMs", stats.decode_ms);
    set("deliveries", static_cast<double>(stats.deliveries));
    return result;
  });
}

Napi::Value EngineClose(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto owner = FromHandle<EngineOwner>(info[0]);
    const auto engine = owner->handle->engine_or_null();
    if (engine) engine->Stop(true);
    // The join happens off the JavaScript thread; what is left of it in Finish returns at once.
    return Job<bool>::Start(info.Env(), {.work =
                                             [engine] {
                                               if (engine) engine->Close();
                                               return true;
                                             },
                                         .convert = [owner](Napi::Env env, bool&) -> Napi::Value {
                                           owner->handle->Finish(env);
                                           owner->model.reset();
                                           return env.Undefined();
                                         }});
  });
}

}  // namespace llamero
