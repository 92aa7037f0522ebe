#include "bindings/embedder_bindings.h"

#include <numeric>

#include "bindings/model_bindings.h"
#include "bindings/values.h"
#include "embedder/embedder.h"
#include "job.h"
#include "tokenizer.h"

namespace llamero {
namespace {

/// What a JavaScript embedder owns; closing lets go of the model, as with EngineOwner. When the environment ends first, its Ending closes the embedder; the jobs that wait
/// for it are younger, so theirs have run by then.
struct EmbedderHandle {
  static constexpr napi_type_tag kTag{0x6c6c616d65726f01, 0x656d626564640001};

  EmbedderHandle(Napi::Env env, std::shared_ptr<const Model> of, const EmbedderOptions& options)
      : model(std::move(of)),
        embedder(std::make_shared<Embedder>(model, options)),
        ending(env, [this] { embedder->Close(); }) {}

  std::shared_ptr<const Model> model;
  std::shared_ptr<Embedder> embedder;
  Ending ending;
};

EmbedderOptions ToEmbedderOptions(const Napi::Value& value) {
  const Napi::Object given = ToObject(value);
  EmbedderOptions options{.context_size = IntegerOf(given, "contextSize"),
                          .batch_size = IntegerOf(given, "batchSize"),
                          .max_inputs = IntegerOf(given, "maxInputs"),
                          .splits = BoolOf(given, "splits"),
                          .threads = static_cast<int>(IntegerOf(given, "threads")),
                          .flash_attention = StringOf(given, "flashAttention"),
                          .own_kernels = BoolOf(given, "ownKernels")};
  constexpr int64_t kMostInputs = 256;  // llama_max_parallel_sequences()
  constexpr int64_t kMostTokens = 1 << 24;
  const bool valid = options.context_size >= 1 && options.context_size <= kMostTokens && options.max_inputs >= 1 &&
                     options.max_inputs <= kMostInputs && options.batch_size >= options.max_inputs &&
                     options.batch_size <= kMostTokens && options.threads >= 1 && options.threads <= GGML_MAX_N_THREADS;
  if (!valid) throw Failure("ERR_INTERNAL", "The embedder was asked for with options out of range.");
  return options;
}

void RequireEmbeddable(const llama_model* model, bool vocabulary_only, int64_t context_size) {
  if (vocabulary_only) {
    throw Failure("ERR_UNSUPPORTED", "The model was loaded with its vocabulary only; it can't embed.");
  }
  if (llama_model_has_encoder(model) && llama_model_has_decoder(model)) {
    throw Failure("ERR_UNSUPPORTED", "llama.cpp can't embed with a model that has an encoder and a decoder.");
  }
  // A model with a learnt vector for each position has no more of them.
  const int32_t trained = llama_model_n_ctx_train(model);
  if (trained > 0 && context_size > trained) {
    throw Failure("ERR_INTERNAL", "The embedder was asked for with more tokens than the model was trained for.");
  }
}

Pooling ToPooling(const std::string& name) {
  if (name == "none") return Pooling::kNone;
  if (name == "mean") return Pooling::kMean;
  if (name == "cls") return Pooling::kCls;
  if (name == "last") return Pooling::kLast;
  if (name == "rank") return Pooling::kRank;
  throw Failure("ERR_INTERNAL", "The embedder was asked for an unknown pooling.");
}

EmbedRequest ToEmbedRequest(const Napi::Value& value, const Model& model, const EmbedderOptions& options) {
  const Napi::Object given = ToObject(value);
  const auto flag = FromHandle<CancelFlag>(given.Get("cancelFlag"));
  const auto lengths = IntegersOf(given.Get("lengths"));
  EmbedRequest request{.tokens = ToTokens(given.Get("tokens"), model),
                       .lengths = {lengths.begin(), lengths.end()},
                       .pooling = ToPooling(StringOf(given, "pooling")),
                       .normalize = BoolOf(given, "normalize"),
                       .dimensions = IntegerOf(given, "dimensions"),
                       .cancelled = {flag, &flag->raised}};
  for (const int64_t length : request.lengths) {
    if (length >= 1 && length <= options.context_size) continue;
    throw Failure("ERR_CONTEXT_FULL", "An input has " + std::to_string(length) + " tokens, 1 to " +
                                          std::to_string(options.context_size) + " were expected.");
  }
  const auto tokens = std::accumulate(request.lengths.begin(), request.lengths.end(), int64_t{0});
  if (request.lengths.empty() || tokens != static_cast<int64_t>(request.tokens.size()) || request.dimensions < 0) {
    throw Failure("ERR_INTERNAL", "The lengths of the inputs do not add up to their tokens.");
  }
  return request;
}

struct TokenLists {
  std::vector<int32_t> tokens;
  std::vector<int32_t> lengths;
};

}  // namespace

Napi::Value TokenizeTexts(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto model = OpenModel(info[0]);
    const auto texts = ArrayOf(info[1], [](const Napi::Value& parts) { return ArrayOf(parts, ToTextPart); });
    const bool add_special = BoolOf(ToObject(info[2]), "addSpecial");
    size_t longest = 0;
    for (const auto& parts : texts) {
      size_t bytes = 0;
      for (const TextPart& part : parts) bytes += part.text.size();
      longest = std::max(longest, bytes);
    }
    return Job<TokenLists>::Start(info.Env(), {.work =
                                                   [=] {
                                                     TokenLists lists;
                                                     for (const auto& parts : texts) {
                                                       const auto tokens = Tokenize(*model, parts, add_special);
                                                       lists.tokens.insert(lists.tokens.end(), tokens.begin(),
                                                                           tokens.end());
                                                       lists.lengths.push_back(static_cast<int32_t>(tokens.size()));
                                                     }
                                                     return lists;
                                                   },
                                               .convert = [](Napi::Env env, TokenLists& lists) -> Napi::Value {
                                                 auto result = Napi::Object::New(env);
                                                 result.Set("tokens", ToInt32Array(env, lists.tokens));
                                                 result.Set("lengths", ToInt32Array(env, lists.lengths));
                                                 return result;
                                               },
                                               .stack_bytes = StackForText(longest)});
  });
}

Napi::Value EmbedderCreate(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto model = OpenModel(info[0]);
    const EmbedderOptions options = ToEmbedderOptions(info[1]);
    RequireEmbeddable(model->get(), model->vocabulary_only(), options.context_size);
    return ToHandle(info.Env(), std::make_shared<EmbedderHandle>(info.Env(), model, options));
  });
}

/// A promise that rejects, as calls before the end do when the end overtakes them.
Napi::Value RejectClosed(Napi::Env env) {
  return Job<bool>::Start(
      env, {.work = []() -> bool { throw Failure("ERR_DISPOSED", "The model was closed; load it again to embed."); },
            .convert = [](Napi::Env env, bool&) { return env.Undefined(); }});
}

Napi::Value EmbedderRun(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto handle = FromHandle<EmbedderHandle>(info[0]);
    if (!handle->model) return RejectClosed(info.Env());
    // Shared, since a std::function copies; taken by the one call.
    const auto request =
        std::make_shared<EmbedRequest>(ToEmbedRequest(info[1], *handle->model, handle->embedder->options()));
    constexpr size_t kWaitingStack = size_t{256} << 10;
    return Job<std::vector<float>>::Start(
        info.Env(), {.work = [embedder = handle->embedder, request] { return embedder->Run(std::move(*request)); },
                     .convert = [](Napi::Env env, std::vector<float>& vectors) -> Napi::Value {
                       auto result = Napi::Float32Array::New(env, vectors.size());
                       std::copy(vectors.begin(), vectors.end(), result.Data());
                       return result;
                     },
                     .cancel = [embedder = handle->embedder] { embedder->Stop(); },
                     .stack_bytes = kWaitingStack});
  });
}

Napi::Value EmbedderStatistics(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const EmbedderStats stats = FromHandle<EmbedderHandle>(info[0])->embedder->Stats();
    auto result = Napi::Object::New(info.Env());
    result.Set("steps", static_cast<double>(stats.steps));
    result.Set("inputs", static_cast<double>(stats.inputs));
    result.Set("tokens", static_cast<double>(stats.tokens));
    result.Set("waiting", static_cast<double>(stats.waiting));
    result.Set("computeMs", stats.compute_ms);
    return result;
  });
}

Napi::Value EmbedderClose(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto handle = FromHandle<EmbedderHandle>(info[0]);
    handle->embedder->Stop();
    return Job<bool>::Start(info.Env(), {.work =
                                             [embedder = handle->embedder] {
                                               embedder->Close();
                                               return true;
                                             },
                                         .convert = [handle](Napi::Env env, bool&) -> Napi::Value {
                                           handle->model.reset();
                                           return env.Undefined();
                                         }});
  });
}

}  // namespace llamero
