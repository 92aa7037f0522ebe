#include "bindings/engine_handle.h"

#include "bindings/values.h"

namespace llamero {
namespace {

const char* ReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kAbort:
      return "abort";
    case FinishReason::kContextFull:
      return "context-full";
    case FinishReason::kError:
      return "error";
  }
  return "error";
}

Napi::Object ToJs(Napi::Env env, const Finish& finish) {
  auto object = Napi::Object::New(env);
  object.Set("reason", ReasonName(finish.reason));
  object.Set("errorCode", finish.error_code);
  object.Set("errorMessage", finish.error_message);
  object.Set("inputTokens", static_cast<double>(finish.input_tokens));
  object.Set("cachedTokens", static_cast<double>(finish.cached_tokens));
  object.Set("outputTokens", static_cast<double>(finish.output_tokens));
  object.Set("draftTokens", static_cast<double>(finish.draft_tokens));
  object.Set("acceptedTokens", static_cast<double>(finish.accepted_tokens));
  object.Set("queueMs", finish.queue_ms);
  object.Set("prefillMs", finish.prefill_ms);
  object.Set("decodeMs", finish.decode_ms);
  object.Set("ttftMs", finish.ttft_ms);
  return object;
}

Napi::Object ToJs(Napi::Env env, const TokenLogprob& logprob) {
  auto object = Napi::Object::New(env);
  object.Set("token", logprob.token);
  object.Set("logprob", logprob.logprob);
  return object;
}

Napi::Object ToJs(Napi::Env env, const News& news) {
  auto object = Napi::Object::New(env);
  object.Set("id", static_cast<double>(news.id));
  object.Set("text", news.text);
  object.Set("tokens", ToInt32Array(env, news.tokens));
  if (!news.logprobs.empty()) {
    object.Set("logprobs", ToArray(env, news.logprobs, [&](const std::vector<TokenLogprob>& alternatives) {
                 return ToArray(env, alternatives, [&](const TokenLogprob& one) { return ToJs(env, one); });
               }));
  }
  if (news.prompt_tokens) object.Set("promptTokens", static_cast<double>(*news.prompt_tokens));
  if (news.finish) object.Set("finish", ToJs(env, *news.finish));
  return object;
}

}  // namespace

EngineHandle::EngineHandle(Napi::Env env, std::unique_ptr<Engine> engine, Napi::FunctionReference on_news)
    : engine_(std::move(engine)),
      on_news_(std::move(on_news)),
      waker_(env, "llamero.engine", [this](Napi::Env on) { Deliver(on); }),
      ending_(env, [this] { Detach(); }) {  // H3
  waker_.KeepAlive(false);
  engine_->Start([this] { waker_.Wake(); });
}

EngineHandle::~EngineHandle() { Detach(); }

Engine& EngineHandle::engine() {
  if (!engine_) throw Failure("ERR_DISPOSED", "The model was closed; load it again to generate.");
  return *engine_;
}

void EngineHandle::Detach() {
  if (!engine_) return;
  engine_->Close();  // H2
  waker_.Close();
  engine_.reset();
}

void EngineHandle::Finish(Napi::Env env) {
  if (!engine_) return;
  const std::vector<News> news = engine_->TakeNews();
  Detach();
  Tell(env, news);  // H5
  on_news_.Reset();
}

void EngineHandle::Deliver(Napi::Env env) {
  if (!engine_) return;
  const std::shared_ptr<EngineHandle> alive = shared_from_this();  // the callback may close it
  const std::vector<News> news = engine_->TakeNews();
  waker_.KeepAlive(engine_->active() || engine_->has_news());  // H4
  Tell(env, news);
}

void EngineHandle::Tell(Napi::Env env, const std::vector<News>& news) {
  if (news.empty()) return;
  on_news_.Call({ToArray(env, news, [&](const News& one) { return ToJs(env, one); })});
}

}  // namespace llamero
