#include "media/projector.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "failure.h"
#include "log.h"
#include "media/picture.h"
#include "media/sound.h"

namespace llamero {
namespace {

constexpr int kGridDimensions = 4;

void RequireNotCancelled(const std::atomic<bool>& cancelled) {
  if (cancelled) throw Failure("ERR_CANCELLED", "Encoding was cancelled.");
}

}  // namespace

std::shared_ptr<Projector> Projector::Load(std::shared_ptr<const Model> model, const ProjectorOptions& options) {
  return std::shared_ptr<Projector>(new Projector(std::move(model), options));
}

Projector::Projector(std::shared_ptr<const Model> model, const ProjectorOptions& options)
    : model_(std::move(model)), options_(options) {
  mtmd_context_params params = mtmd_context_params_default();
  params.use_gpu = options.use_gpu;
  params.print_timings = false;
  params.n_threads = options.threads;
  params.warmup = false;
  const LogCapture log;
  context_.reset(mtmd_init_from_file(options.path.c_str(), model_->get(), params));
  if (!context_) {
    throw Failure("ERR_MODEL_REJECTED", "llama.cpp refused the projector: " + log.Reason("it gave no reason") + ".");
  }
}

std::shared_ptr<const Medium> Projector::Encode(Kind kind, const MediaDigest& digest, std::span<const uint8_t> bytes,
                                                const std::atomic<bool>& cancelled) {
  if (auto known = Known(digest)) return known;
  const std::lock_guard turn(encoding_);
  if (auto known = Known(digest)) return known;  // somebody else has encoded it meanwhile
  RequireNotCancelled(cancelled);
  const auto started = std::chrono::steady_clock::now();
  auto medium = Run(digest, Decode(kind, bytes).get(), cancelled);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - started;
  const std::lock_guard lock(mutex_);
  stats_.encoded++;
  stats_.encode_ms += took.count();
  Keep(digest, medium);
  return medium;
}

std::shared_ptr<const Medium> Projector::Known(const MediaDigest& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = index_.find(digest);
  if (found == index_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found->second);
  stats_.reused++;
  return found->second->medium;
}

/// REQUIRES: mutex_ is held.
void Projector::Keep(const MediaDigest& digest, std::shared_ptr<const Medium> medium) {
  if (medium->bytes > options_.cache_bytes) return;
  stats_.cached_bytes += medium->bytes;
  kept_.push_front({digest, std::move(medium)});
  index_[digest] = kept_.begin();
  while (stats_.cached_bytes > options_.cache_bytes) {
    stats_.cached_bytes -= kept_.back().medium->bytes;
    index_.erase(kept_.back().digest);
    kept_.pop_back();
  }
  stats_.cached = static_cast<int64_t>(kept_.size());
}

mtmd::bitmap_ptr Projector::Decode(Kind kind, std::span<const uint8_t> bytes) const {
  if (kind == Kind::kPicture) {
    if (!sees()) throw Failure("ERR_UNSUPPORTED", "This model's projector takes no images.");
    const Picture picture = DecodePicture(bytes);
    return mtmd::bitmap_ptr(mtmd_bitmap_init(picture.width, picture.height, picture.pixels.data()));
  }
  if (!hears()) throw Failure("ERR_UNSUPPORTED", "This model's projector takes no audio.");
  std::vector<float> samples = DecodeSound(bytes, mtmd_get_audio_sample_rate(context_.get()));
  // mtmd aborts on a single sample.
  if (samples.size() < 2) samples.resize(2);
  return mtmd::bitmap_ptr(mtmd_bitmap_init_from_audio(samples.size(), samples.data()));
}

/// REQUIRES: encoding_ is held.
std::shared_ptr<const Medium> Projector::Run(const MediaDigest& digest, const mtmd_bitmap* bitmap,
                                             const std::atomic<bool>& cancelled) {
  const mtmd_input_part part{.text = nullptr, .bitmap = bitmap};
  const mtmd_input_part* const parts = &part;
  const mtmd::input_chunks_ptr chunks(mtmd_input_chunks_init());
  const LogCapture log;
  if (mtmd_tokenize_from_parts(context_.get(), chunks.get(), &parts, 1, false) != 0) {
    throw Failure("ERR_MEDIA_INVALID",
                  "The model's projector can't take this file: " + log.Reason("it gave no reason") + ".");
  }
  auto medium = std::make_shared<Medium>();
  for (size_t i = 0; i < mtmd_input_chunks_size(chunks.get()); i++) {
    RequireNotCancelled(cancelled);
    const mtmd_input_chunk* chunk = mtmd_input_chunks_get(chunks.get(), i);
    if (mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_TEXT) {
      size_t count = 0;
      const llama_token* tokens = mtmd_input_chunk_get_tokens_text(chunk, &count);
      for (size_t at = 0; at < count; at++) {
        // mtmd looks its marks up by their text; a model whose vocabulary lacks one is not what the projector is for.
        if (!model_->IsToken(tokens[at])) {
          throw Failure("ERR_UNSUPPORTED",
                        "The model's vocabulary lacks a token that its projector puts around media.");
        }
        medium->tokens.push_back(tokens[at]);
      }
      continue;
    }
    auto encoded = RunChunk(chunk);
    medium->bytes += static_cast<int64_t>(encoded->embeddings.size() * sizeof(float));
    const auto run = MediaRun(digest, static_cast<int64_t>(medium->spans.size()), encoded->tokens, encoded->positions);
    medium->spans.push_back({static_cast<int64_t>(medium->tokens.size()), std::move(encoded)});
    medium->tokens.insert(medium->tokens.end(), run.begin(), run.end());
  }
  if (medium->spans.empty()) throw Failure("ERR_MEDIA_INVALID", "The model's projector makes nothing of this file.");
  return medium;
}

std::shared_ptr<const MediaChunk> Projector::RunChunk(const mtmd_input_chunk* chunk) {
  const LogCapture log;
  auto encoded = std::make_shared<MediaChunk>();
  encoded->tokens = static_cast<int64_t>(mtmd_input_chunk_get_n_tokens(chunk));
  encoded->positions = mtmd_input_chunk_get_n_pos(chunk);
  encoded->whole = mtmd_decode_use_non_causal(context_.get(), chunk);
  encoded->has_grid = mtmd_decode_use_mrope(context_.get());
  if (encoded->tokens < 1 || encoded->positions < 1 || encoded->positions > encoded->tokens ||
      (encoded->positions != encoded->tokens && encoded->positions > kMostMediaPositions)) {
    throw Failure("ERR_MEDIA_INVALID", "The model's projector makes nothing of this file that fits into a prompt.");
  }
  if (encoded->whole && encoded->tokens > options_.most_together) {
    throw Failure("ERR_UNSUPPORTED",
                  "The image takes " + std::to_string(encoded->tokens) +
                      " tokens that this model computes in one go, but the context takes no more than " +
                      std::to_string(options_.most_together) + " at once. Raise contextSize.");
  }
  if (encoded->has_grid) {
    const mtmd_image_tokens* image = mtmd_input_chunk_get_tokens_image(chunk);
    encoded->grid.resize(static_cast<size_t>(encoded->tokens) * kGridDimensions);
    for (int64_t i = 0; i < encoded->tokens; i++) {
      const auto along = static_cast<uint32_t>(i);
      const mtmd_decoder_pos at = image ? mtmd_image_tokens_get_decoder_pos(image, 0, static_cast<size_t>(i))
                                        : mtmd_decoder_pos{along, along, along, along};
      const uint32_t dimensions[kGridDimensions] = {at.t, at.y, at.x, at.z};
      for (int64_t d = 0; d < kGridDimensions; d++) {
        encoded->grid[d * encoded->tokens + i] = static_cast<llama_pos>(dimensions[d]);
      }
    }
  }
  if (mtmd_encode_chunk(context_.get(), chunk) != 0) {
    throw Failure("ERR_MEDIA_INVALID",
                  "The model's projector could not encode this file: " + log.Reason("it gave no reason") + ".");
  }
  const float* output = mtmd_get_output_embd(context_.get());
  const auto size = static_cast<size_t>(encoded->tokens) * static_cast<size_t>(llama_model_n_embd_inp(model_->get()));
  encoded->embeddings.assign(output, output + size);
  return encoded;
}

ProjectorStats Projector::Stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace llamero
