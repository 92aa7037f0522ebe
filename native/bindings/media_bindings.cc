#include "bindings/media_bindings.h"

#include <algorithm>
#include <string>

#include "bindings/model_bindings.h"
#include "bindings/values.h"
#include "job.h"

namespace llamero {
namespace {

std::shared_ptr<Projector> OpenProjector(const Napi::Value& handle) {
  auto projector = FromHandle<ProjectorHandle>(handle)->projector;
  if (!projector) throw Failure("ERR_DISPOSED", "The model was closed; load it again.");
  return projector;
}

std::vector<uint8_t> BytesOf(const Napi::Value& value) {
  return CopyOf<uint8_t, Napi::Uint8Array>(value, napi_uint8_array);
}

MediaDigest ToDigest(const Napi::Value& value) {
  const std::vector<uint8_t> bytes = BytesOf(value);
  MediaDigest digest{};
  if (bytes.size() != digest.size()) throw Failure("ERR_INTERNAL", "The digest of a medium has 32 bytes.");
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

Projector::Kind ToKind(const std::string& kind) {
  if (kind == "image") return Projector::Kind::kPicture;
  if (kind == "audio") return Projector::Kind::kSound;
  throw Failure("ERR_INTERNAL", "A medium is an image or audio.");
}

}  // namespace

std::vector<Medium::Span> ToMedia(const Napi::Value& value, std::span<const llama_token> tokens, const Model& model) {
  std::vector<Medium::Span> spans;
  int64_t end = 0;
  ArrayOf(value, [&](const Napi::Value& element) {
    const Napi::Object entry = ToObject(element);
    const auto handle = FromHandle<MediumHandle>(entry.Get("medium"));
    if (!handle->medium) throw Failure("ERR_INTERNAL", "A request came with a medium that was released.");
    if (!handle->projector->IsFor(model)) throw Failure("ERR_OPTION_INVALID", "The medium is for another model.");
    const int64_t at = IntegerOf(entry, "at");
    const std::vector<llama_token>& own = handle->medium->tokens;
    const auto size = static_cast<int64_t>(own.size());
    const bool stands = at >= end && at + size <= static_cast<int64_t>(tokens.size()) &&
                        std::equal(own.begin(), own.end(), tokens.begin() + at);
    if (!stands) throw Failure("ERR_INTERNAL", "A request's tokens lack a medium that it came with.");
    for (const auto& [begin, chunk] : handle->medium->spans) spans.push_back({at + begin, chunk});
    end = at + size;
    return true;
  });
  return spans;
}

Napi::Value ProjectorLoad(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto model = OpenModel(info[0]);
    const Napi::Object given = ToObject(info[1]);
    const ProjectorOptions options{.path = StringOf(given, "path"),
                                   .use_gpu = BoolOf(given, "useGpu"),
                                   .threads = static_cast<int>(IntegerOf(given, "threads")),
                                   .cache_bytes = IntegerOf(given, "cacheBytes"),
                                   .most_together = IntegerOf(given, "mostTogether")};
    using Loaded = std::shared_ptr<Projector>;
    return Job<Loaded>::Start(
        info.Env(), {.work = [=] { return Projector::Load(model, options); },
                     .convert = [](Napi::Env env, Loaded& projector) -> Napi::Value {
                       return ToHandle(env, std::make_shared<ProjectorHandle>(ProjectorHandle{std::move(projector)}));
                     }});
  });
}

Napi::Value ProjectorInfo(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto projector = OpenProjector(info[0]);
    auto result = Napi::Object::New(info.Env());
    result.Set("images", projector->sees());
    result.Set("audio", projector->hears());
    return result;
  });
}

Napi::Value ProjectorStatistics(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const ProjectorStats stats = OpenProjector(info[0])->Stats();
    auto result = Napi::Object::New(info.Env());
    result.Set("encoded", static_cast<double>(stats.encoded));
    result.Set("reused", static_cast<double>(stats.reused));
    result.Set("encodeMs", stats.encode_ms);
    result.Set("cached", static_cast<double>(stats.cached));
    result.Set("cachedBytes", static_cast<double>(stats.cached_bytes));
    return result;
  });
}

Napi::Value ProjectorClose(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    FromHandle<ProjectorHandle>(info[0])->projector.reset();
    return info.Env().Undefined();
  });
}

Napi::Value MediumEncode(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto projector = OpenProjector(info[0]);
    const Projector::Kind kind = ToKind(ToString(info[1]));
    const MediaDigest digest = ToDigest(info[2]);
    const auto bytes = std::make_shared<std::vector<uint8_t>>(BytesOf(info[3]));
    const auto flag = FromHandle<CancelFlag>(info[4]);
    using Encoded = std::shared_ptr<const Medium>;
    return Job<Encoded>::Start(
        info.Env(), {.work = [=] { return projector->Encode(kind, digest, *bytes, flag->raised); },
                     .convert = [projector](Napi::Env env, Encoded& medium) -> Napi::Value {
                       return ToHandle(env, std::make_shared<MediumHandle>(MediumHandle{std::move(medium), projector}));
                     },
                     .cancel = [flag] { flag->raised = true; }});
  });
}

Napi::Value MediumTokens(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto medium = FromHandle<MediumHandle>(info[0])->medium;
    if (!medium) throw Failure("ERR_INTERNAL", "The medium was released.");
    return ToInt32Array(info.Env(), medium->tokens);
  });
}

Napi::Value MediumRelease(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&]() -> Napi::Value {
    const auto handle = FromHandle<MediumHandle>(info[0]);
    handle->medium.reset();
    handle->projector.reset();
    return info.Env().Undefined();
  });
}

}  // namespace llamero
