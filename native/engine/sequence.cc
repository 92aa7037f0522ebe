#include "engine/sequence.h"

#include <algorithm>

#include "engine/media_run.h"
#include "failure.h"

namespace llamero {

Sequence::Sequence(int64_t id, Request request, std::shared_ptr<const Model> model, Clock::time_point submitted)
    : id_(id),
      request_(std::move(request)),
      model_(std::move(model)),
      sampler_(model_, request_.sampler, request_.ignore_end, request_.tokens),
      text_(request_.stops),
      tokens_(std::move(request_.tokens)),
      media_(std::move(request_.media)),
      drafter_(request_.draft_tokens, request_.adapt_drafts),
      prompt_size_(static_cast<int64_t>(tokens_.size())),
      submitted_(submitted) {}

PlanSequence Sequence::Planned() const {
  return {.id = id_,
          .known = known(),
          .computed = computed_,
          .parked = parked(),
          .priority = request_.priority,
          .arrival = id_,
          .generating = generated_ > 0};
}

const Medium::Span* Sequence::MediaAt(int64_t index) const {
  for (const Medium::Span& span : media_) {
    if (index >= span.begin && index < span.begin + span.chunk->tokens) return &span;
  }
  return nullptr;
}

int64_t Sequence::PositionOf(int64_t index) const {
  int64_t position = index;
  for (const auto& [begin, chunk] : media_) {
    if (begin + chunk->tokens <= index) position -= chunk->tokens - chunk->positions;
  }
  return position;
}

Context::BatchKind Sequence::KindBehind(int64_t computed) const {
  const Medium::Span* span = MediaAt(computed);
  if (span == nullptr) return Context::BatchKind::kTokens;
  return span->chunk->whole ? Context::BatchKind::kWholeMedia : Context::BatchKind::kMedia;
}

int64_t Sequence::BoundaryBehind(int64_t computed) const {
  if (const Medium::Span* span = MediaAt(computed)) return span->begin + span->chunk->tokens;
  for (const auto& [begin, chunk] : media_) {
    if (begin > computed) return begin;
  }
  return 0;
}

void Sequence::Propose(std::vector<llama_token> draft) {
  draft.erase(std::find_if(draft.begin(), draft.end(), IsMedia), draft.end());
  draft_ = std::move(draft);
}

bool Sequence::parked() const { return acknowledged >= 0 && generated_ - acknowledged >= request_.buffer_tokens; }

Clock::time_point Sequence::deadline() const {
  const auto after = [&](int64_t ms) {
    return ms > 0 ? submitted_ + std::chrono::milliseconds(ms) : Clock::time_point::max();
  };
  const bool waits = started_ == Clock::time_point{};
  return std::min(after(request_.timeout_ms), waits ? after(request_.queue_timeout_ms) : Clock::time_point::max());
}

void Sequence::Begin(llama_seq_id taken, int64_t cached) {
  slot = taken;
  computed_ = cached;
  if (started_ == Clock::time_point{}) cached_ = cached;  // what comes back after a preemption is no gain
}

void Sequence::Forget() {
  slot = kNoSlot;
  computed_ = 0;
  draft_.clear();
}

void Sequence::Computed(int64_t count, Clock::time_point started) {
  computed_ += count;
  if (started_ == Clock::time_point{}) started_ = started;
}

void Sequence::Advance(std::span<float> row, int64_t cells, Clock::time_point now, News& news) {
  if (generated_ == 0) first_token_ = now;
  if (request_.max_tokens == 0) return Stop(FinishReason::kLength, now, news);
  Sampler::Choice choice = sampler_.Sample(row, request_.logprobs);
  generated_++;
  tokens_.push_back(choice.token);
  drafter_.Observe(tokens_);
  news.tokens.push_back(choice.token);
  news.urgent = news.urgent || generated_ == 1;
  if (request_.logprobs >= 0) news.logprobs.push_back(std::move(choice.logprobs));

  if (!request_.ignore_end && model_->EndsGeneration(choice.token)) return Stop(FinishReason::kStop, now, news);
  const auto& preserved = request_.preserved_tokens;
  const bool written = std::find(preserved.begin(), preserved.end(), choice.token) != preserved.end();
  StopMatcher::Outcome outcome = text_.Add(written ? model_->WrittenPiece(choice.token) : model_->Piece(choice.token));
  news.text += outcome.text;
  if (outcome.stopped) {
    news.finish = End(FinishReason::kStop, now);
    return;
  }
  if (request_.max_tokens >= 0 && generated_ >= request_.max_tokens) return Stop(FinishReason::kLength, now, news);
  if (known() > cells) return Stop(FinishReason::kContextFull, now, news);
}

bool Sequence::ShiftIfFull() {
  const Shift& shift = request_.shift;
  if (shift.at == 0 || static_cast<int64_t>(tokens_.size()) < shift.at) return false;
  // Media go or stay as a whole.
  const int64_t from = WholeLength(tokens_, shift.keep);
  const int64_t end = WholeLengthAfter(tokens_, shift.keep + shift.drop);
  DropMedia(from, end - from);
  tokens_.erase(tokens_.begin() + from, tokens_.begin() + end);
  drafter_.Restart();
  return true;
}

void Sequence::DropMedia(int64_t from, int64_t count) {
  std::erase_if(media_, [&](const Medium::Span& span) { return span.begin >= from && span.begin < from + count; });
  for (Medium::Span& span : media_) {
    if (span.begin >= from + count) span.begin -= count;
  }
}

void Sequence::Stop(FinishReason reason, Clock::time_point now, News& news) {
  news.text += text_.Finish();
  news.finish = End(reason, now);
}

int64_t Sequence::DraftRoom(int64_t cells) const {
  const bool next_runs = slot != kNoSlot && generated_ > 0 && !parked() && known() - computed_ == 1;
  if (!next_runs) return 0;
  int64_t room = std::min(drafter_.most(), cells - known());
  if (request_.max_tokens >= 0) room = std::min(room, request_.max_tokens - generated_ - 1);
  if (request_.shift.at > 0) room = std::min(room, request_.shift.at - known() - 1);
  if (acknowledged >= 0) room = std::min(room, request_.buffer_tokens - (generated_ - acknowledged) - 1);
  return std::max<int64_t>(0, room);
}

std::optional<int64_t> Sequence::tokens_left() const {
  if (request_.max_tokens < 0) return std::nullopt;
  return request_.max_tokens - generated_;
}

void Sequence::Accept() {
  accepted_tokens_++;
  computed_++;
}

Finish Sequence::End(FinishReason reason, Clock::time_point now) const {
  const bool started = started_ != Clock::time_point{};
  const bool produced = generated_ > 0;
  Finish finish;
  finish.reason = reason;
  finish.input_tokens = prompt_size_;
  finish.cached_tokens = cached_;
  finish.output_tokens = generated_;
  finish.draft_tokens = draft_tokens_;
  finish.accepted_tokens = accepted_tokens_;
  finish.queue_ms = MillisecondsBetween(submitted_, started ? started_ : now);
  finish.prefill_ms = started ? MillisecondsBetween(started_, produced ? first_token_ : now) : 0;
  finish.decode_ms = produced ? MillisecondsBetween(first_token_, now) : 0;
  finish.ttft_ms = produced ? MillisecondsBetween(submitted_, first_token_) : 0;
  return finish;
}

}  // namespace llamero
