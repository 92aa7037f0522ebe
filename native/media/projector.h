#pragma once

#include <mtmd.h>

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "engine/media_run.h"
#include "media/medium.h"
#include "model.h"

namespace llamero {

struct ProjectorOptions {
  std::string path;
  bool use_gpu = false;
  int threads = 1;
  int64_t cache_bytes = 0;    // of encoded media that are kept
  int64_t most_together = 0;  // tokens that the engine can compute in one go
};

struct ProjectorStats {
  int64_t encoded = 0;       // media that went through the encoder
  int64_t reused = 0;        // that were encoded already
  double encode_ms = 0;      // decoding and encoding
  int64_t cached = 0;        // media that are kept
  int64_t cached_bytes = 0;  // their embeddings
};

/// The encoder that turns pictures and sounds into embeddings for a model, with those that it has made. Shares ownership
/// of the model. Any thread may call it; one medium is encoded at a time, since mtmd has one buffer for what comes out.
class Projector {
 public:
  /// Throws Failure: ERR_MODEL_REJECTED with mtmd's reason, ERR_UNSUPPORTED. REQUIRES: a file that lib/gguf has judged.
  static std::shared_ptr<Projector> Load(std::shared_ptr<const Model> model, const ProjectorOptions& options);

  bool sees() const { return mtmd_support_vision(context_.get()); }
  bool hears() const { return mtmd_support_audio(context_.get()); }
  bool IsFor(const Model& model) const { return model_.get() == &model; }

  enum class Kind { kPicture, kSound };
  /// What the bytes of a file become; taken from the cache if `digest` (of the bytes and of the encoder) is known there.
  /// Waits for its turn. Throws Failure: ERR_MEDIA_INVALID, ERR_UNSUPPORTED, ERR_CANCELLED.
  std::shared_ptr<const Medium> Encode(Kind kind, const MediaDigest& digest, std::span<const uint8_t> bytes,
                                       const std::atomic<bool>& cancelled);

  ProjectorStats Stats() const;

 private:
  struct Kept {
    MediaDigest digest;
    std::shared_ptr<const Medium> medium;
  };

  Projector(std::shared_ptr<const Model> model, const ProjectorOptions& options);

  std::shared_ptr<const Medium> Known(const MediaDigest& digest);
  void Keep(const MediaDigest& digest, std::shared_ptr<const Medium> medium);
  mtmd::bitmap_ptr Decode(Kind kind, std::span<const uint8_t> bytes) const;
  std::shared_ptr<const Medium> Run(const MediaDigest& digest, const mtmd_bitmap* bitmap,
                                    const std::atomic<bool>& cancelled);
  std::shared_ptr<const MediaChunk> RunChunk(const mtmd_input_chunk* chunk);

  std::shared_ptr<const Model> model_;  // outlives the context
  ProjectorOptions options_;
  mtmd::context_ptr context_;
  std::mutex encoding_;       // the context's buffer
  mutable std::mutex mutex_;  // what follows
  std::list<Kept> kept_;      // the latest used first
  std::map<MediaDigest, std::list<Kept>::iterator> index_;
  ProjectorStats stats_;
};

}  // namespace llamero
