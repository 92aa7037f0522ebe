#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/context.h"
#include "engine/disk_tier.h"
#include "engine/drafter.h"
#include "engine/news.h"
#include "engine/plan.h"
#include "engine/request.h"
#include "engine/sampler.h"
#include "engine/text.h"

namespace llamero {

using Clock = std::chrono::steady_clock;

inline double MillisecondsBetween(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

/// One request in the engine: its tokens, how many of them are computed, and what its reader has taken.
/// Lives on the engine thread.
class Sequence {
 public:
  static constexpr llama_seq_id kNoSlot = -1;

  Sequence(int64_t id, Request request, std::shared_ptr<const Model> model, Clock::time_point submitted);

  PlanSequence Planned() const;
  int64_t id() const { return id_; }
  const std::vector<llama_token>& tokens() const { return tokens_; }
  int64_t known() const { return static_cast<int64_t>(tokens_.size()); }
  int64_t computed() const { return computed_; }
  /// Tokens it began with.
  int64_t prompt_size() const { return prompt_size_; }
  bool parked() const;
  /// The media that token `index` belongs to; none if it is one of the vocabulary's.
  const Medium::Span* MediaAt(int64_t index) const;
  /// The position of token `index` of text, or of the beginning of media.
  int64_t PositionOf(int64_t index) const;
  /// What has to be computed behind the first `computed` tokens, and where that ends; 0: nowhere before the last token.
  Context::BatchKind KindBehind(int64_t computed) const;
  int64_t BoundaryBehind(int64_t computed) const;
  bool wants_progress() const { return request_.progress && generated_ == 0; }

  const std::string& cache_root() const { return request_.cache_root; }
  int64_t session() const { return request_.session; }
  int priority() const { return request_.priority; }
  const std::shared_ptr<const AdapterSet>& adapters() const { return request_.adapters; }

  /// When its time is over, as far as is known now: a request that has begun has waited. None: max().
  Clock::time_point deadline() const;

  /// The slot in the KV cache while it holds cells.
  llama_seq_id slot = kNoSlot;
  /// What it waits for to be read from disk before it begins.
  DiskTier::Id awaits = DiskTier::kNone;
  bool asked_disk = false;
  /// Tokens its reader has taken; -1: it takes everything.
  int64_t acknowledged = 0;

  /// It got a slot in which its first `cached` tokens are computed already.
  void Begin(llama_seq_id slot, int64_t cached);
  void Computed(int64_t count, Clock::time_point started);
  /// It lost its slot: it starts over.
  void Forget();

  /// Samples the next token from its row and adds what follows from it to `news`. `cells` is the most tokens that the
  /// context can hold. Sets news.finish when the generation ends.
  void Advance(std::span<float> row, int64_t cells, Clock::time_point now, News& news);

  /// Drops its oldest tokens if it has reached the number at which it shall; it must start over then.
  bool ShiftIfFull();
  /// What may come next, by what it and its prompt have said before.
  const Drafter& drafter() const { return drafter_; }
  /// Most tokens that may be proposed for the next step: no more than it could still say, and its reader take.
  int64_t DraftRoom(int64_t cells) const;
  /// Whether a draft model or trained heads shall be asked too.
  bool asks_source() const { return drafter_.most() > 0 && request_.draft_model; }
  /// Most tokens that it may still say; none: as many as the context holds.
  std::optional<int64_t> tokens_left() const;
  /// Of an earlier place that media follow only what stands before them is taken.
  void Propose(std::vector<llama_token> draft);
  const std::vector<llama_token>& draft() const { return draft_; }
  /// The first `count` tokens of the draft were computed.
  void Drafted(int64_t count) { draft_tokens_ += count; }
  /// The next one of them is what was said: it is computed already.
  void Accept();

  Finish End(FinishReason reason, Clock::time_point now) const;

 private:
  void DropMedia(int64_t from, int64_t count);
  void Stop(FinishReason reason, Clock::time_point now, News& news);

  int64_t id_;
  Request request_;
  std::shared_ptr<const Model> model_;
  Sampler sampler_;
  TextAssembler text_;
  std::vector<llama_token> tokens_;
  std::vector<Medium::Span> media_;
  Drafter drafter_;
  std::vector<llama_token> draft_;
  int64_t draft_tokens_ = 0;
  int64_t accepted_tokens_ = 0;
  int64_t prompt_size_;
  int64_t computed_ = 0;
  int64_t cached_ = 0;
  int64_t generated_ = 0;
  Clock::time_point submitted_;
  Clock::time_point started_{};
  Clock::time_point first_token_{};
};

}  // namespace llamero
