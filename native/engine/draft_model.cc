#include "engine/draft_model.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include "failure.h"

namespace llamero {
namespace {

// As llama.cpp's common/speculative.cpp: vocabularies of one family differ in padding at the end and in what the first
// ids are called.
constexpr int kMostPadding = 128;
constexpr int kFirstCompared = 5;
// A draft and what the model said behind it; who lacks more must catch up.
constexpr int64_t kUsualGap = 33;
constexpr int64_t kLeastChunk = 64;

[[noreturn]] void Refuse(const std::string& reason) {
  throw Failure("ERR_UNSUPPORTED", "The draft model can't propose tokens for this model: " + reason);
}

std::string Number(int64_t number) { return std::to_string(number); }

void RequireSameTokens(const Model& target, const Model& draft) {
  constexpr const char* kAdvice = " Choose a smaller model of the same family.";
  const llama_vocab* ours = target.vocab();
  const llama_vocab* theirs = draft.vocab();
  if (llama_vocab_type(ours) != llama_vocab_type(theirs)) Refuse(std::string("it cuts text otherwise.") + kAdvice);
  const bool same_ends = llama_vocab_get_add_bos(ours) == llama_vocab_get_add_bos(theirs) &&
                         llama_vocab_get_add_eos(ours) == llama_vocab_get_add_eos(theirs) &&
                         (!llama_vocab_get_add_bos(ours) || llama_vocab_bos(ours) == llama_vocab_bos(theirs)) &&
                         (!llama_vocab_get_add_eos(ours) || llama_vocab_eos(ours) == llama_vocab_eos(theirs));
  if (!same_ends) Refuse(std::string("its texts begin or end with other tokens.") + kAdvice);
  const int our_size = target.vocabulary_size();
  const int their_size = draft.vocabulary_size();
  if (std::abs(our_size - their_size) > kMostPadding) {
    Refuse("it has " + Number(their_size) + " tokens, the model has " + Number(our_size) + "." + kAdvice);
  }
  for (int id = kFirstCompared; id < std::min(our_size, their_size); id++) {
    if (target.Piece(id) == draft.Piece(id)) continue;
    Refuse("token " + Number(id) + " is another one there." + kAdvice);
  }
}

std::shared_ptr<const Model> RequireFit(const Context& target, std::shared_ptr<const Model> draft) {
  if (target.most_taken_back() == 0) {
    throw Failure("ERR_UNSUPPORTED",
                  "This model can't use a draft model: what it keeps of a text can't be cut, since it is recurrent or "
                  "has sliding windows. Open it without one, or with `rollback` if it is one of those that can go back "
                  "(Qwen3.5, LFM2, Nemotron H and others).");
  }
  RequireSameTokens(target.model(), *draft);
  return draft;
}

}  // namespace

DraftModel::DraftModel(std::shared_ptr<const Model> model, const Context& target, int64_t idle_limit,
                       const std::atomic<bool>& abort)
    : model_(RequireFit(target, std::move(model))),
      context_(model_, target.options(), abort, target.pools()),
      cache_(context_, {.idle_limit = idle_limit}, [] {}),
      vocabulary_size_(std::min(model_->vocabulary_size(), target.model().vocabulary_size())),
      longest_text_(std::min<int64_t>(context_.options().cells, llama_model_n_ctx_train(model_->get()))) {
  if (context_.memory() != Context::Memory::kPlain) {
    Refuse("what it keeps of a text can't be cut, since it is recurrent or has sliding windows. Choose another one.");
  }
}

DraftModel::Outlook DraftModel::Look(const Sequence& sequence) {
  Reader& reader = readers_[sequence.id()];
  Settle(reader, sequence);
  if (broken_ || !CanRead(reader, sequence)) return {};
  const bool inside = reader.slot != Sequence::kNoSlot;
  const int64_t found = inside ? reader.computed : cache_.Find(sequence.cache_root(), sequence.tokens()).length;
  return {.room = std::max<int64_t>(0, longest_text_ - sequence.known()),
          .late = std::max<int64_t>(0, sequence.known() - found - kUsualGap),
          .chance = MeanChance(reader.forecast.odds(), odds_)};
}

bool DraftModel::CanRead(const Reader& reader, const Sequence& sequence) const {
  const auto& tokens = sequence.tokens();
  return std::all_of(tokens.begin() + reader.computed, tokens.end(),
                     [this](llama_token token) { return token >= 0 && token < vocabulary_size_; });
}

/// Learns from what became of the proposals, and keeps what was computed of those that were said.
void DraftModel::Settle(Reader& reader, const Sequence& sequence) {
  const std::span<const llama_token> tokens(sequence.tokens());
  const int64_t agreed = reader.forecast.Settle(tokens, odds_);
  if (reader.ahead == 0) return;
  // The last token is always computed anew: its row tells what comes next.
  const int64_t kept = std::min({agreed, reader.ahead, sequence.known() - 1 - reader.computed});
  cache_.Extend(reader.slot, tokens.subspan(reader.computed, kept));
  reader.computed += kept;
  if (kept < reader.ahead) cache_.Settle(reader.slot);
  reader.ahead = 0;
}

/// Whether it has a slot, and cells for `count` tokens more.
bool DraftModel::Admit(Reader& reader, const Sequence& sequence, int64_t count) {
  if (reader.slot == Sequence::kNoSlot) {
    const KvCache::Hit hit = cache_.Find(sequence.cache_root(), sequence.tokens());
    const auto slot = cache_.Begin(sequence.cache_root(), sequence.tokens(), hit, 0);
    if (!slot) return false;
    reader.slot = *slot;
    reader.computed = hit.length;
  }
  int64_t ahead = 0;
  for (const auto& [id, other] : readers_) ahead += other.ahead;
  cache_.MakeRoom(count + ahead);
  return context_.options().cells - cache_.cells() >= count + ahead;
}

DraftModel::Spent DraftModel::Draft(std::vector<Wish>& wishes, double step_ms, int threads) {
  Spent spent;
  if (wishes.empty()) odds_ = Fade(odds_);
  std::vector<Active> active = CatchUp(wishes, step_ms, threads, spent);
  while (true) {
    std::erase_if(active, [this](const Active& one) { return !Propose(one); });
    if (active.empty()) return spent;
    context_.ClearBatch();
    for (Active& one : active) {
      Reader& reader = *one.reader;
      one.row = context_.AddToBatch(one.wish->tokens.back(), reader.computed + reader.ahead, reader.slot, true);
      reader.ahead++;
    }
    const double milliseconds = Decode(threads);
    spent.drafting_ms += std::abs(milliseconds);
    if (milliseconds >= 0) continue;
    for (const Active& one : active) {
      cache_.Settle(one.reader->slot);
      one.reader->ahead = 0;
    }
    return spent;
  }
}

/// Those who lack least go first. Returns who has computed all that is known.
std::vector<DraftModel::Active> DraftModel::CatchUp(std::vector<Wish>& wishes, double step_ms, int threads,
                                                    Spent& spent) {
  struct Chunk {
    Active active;
    int64_t count;
  };
  std::stable_sort(wishes.begin(), wishes.end(), [this](const Wish& a, const Wish& b) {
    const auto lacks = [this](const Wish& wish) {
      return wish.sequence->known() - readers_.at(wish.sequence->id()).computed;
    };
    return lacks(a) < lacks(b);
  });
  const double token_ms = ReadMs(kLeastChunk) / kLeastChunk;
  int64_t budget = token_ms > 0 ? static_cast<int64_t>(std::min(step_ms / token_ms, 1e6)) : kLeastChunk;
  budget = std::min(std::max(budget, kLeastChunk), context_.options().micro_batch_size);
  std::vector<Chunk> chunks;
  int64_t total = 0;
  int64_t late = 0;
  int64_t promised = 0;
  context_.ClearBatch();
  for (Wish& wish : wishes) {
    const Sequence& sequence = *wish.sequence;
    Reader& reader = readers_.at(sequence.id());
    const int64_t lacks = sequence.known() - reader.computed;
    const int64_t most = std::min(lacks, budget - total);
    if (most <= 0 || !Admit(reader, sequence, promised + most + wish.count)) continue;
    const int64_t count = std::min(sequence.known() - reader.computed, most);
    const bool whole = reader.computed + count == sequence.known();
    int row = 0;
    for (int64_t at = reader.computed; at < reader.computed + count; at++) {
      row = context_.AddToBatch(sequence.tokens()[at], at, reader.slot, whole && at + 1 == sequence.known());
    }
    chunks.push_back({{&wish, &reader, row}, count});
    total += count;
    late += std::max<int64_t>(0, count - kUsualGap);
    promised += count + wish.count;
  }
  if (chunks.empty()) return {};
  const double milliseconds = Decode(threads);
  const double late_ms = std::abs(milliseconds) * static_cast<double>(late) / static_cast<double>(total);
  spent.catching_up_ms += late_ms;
  spent.drafting_ms += std::abs(milliseconds) - late_ms;
  std::vector<Active> active;
  for (const Chunk& chunk : chunks) {
    Reader& reader = *chunk.active.reader;
    const Sequence& sequence = *chunk.active.wish->sequence;
    if (milliseconds < 0) {
      cache_.Settle(reader.slot);
      continue;
    }
    cache_.Extend(reader.slot, std::span(sequence.tokens()).subspan(reader.computed, chunk.count));
    reader.computed += chunk.count;
    if (reader.computed < sequence.known()) continue;
    reader.forecast.Begin(sequence.known());
    active.push_back(chunk.active);
  }
  return active;
}

/// Takes the best token of its row; returns whether there shall be another one behind it.
bool DraftModel::Propose(const Active& active) {
  const std::span<const float> row = context_.Row(active.row).first(static_cast<size_t>(vocabulary_size_));
  return active.reader->forecast.Propose(row, odds_, *active.wish);
}

/// The time that it took, negative if nothing came of it.
double DraftModel::Decode(int threads) {
  const auto started = Clock::now();
  Context::Outcome outcome = Context::Outcome::kBroken;
  try {
    outcome = context_.Decode(threads);
  } catch (...) {
    // What llama.cpp throws leaves its state unknown.
  }
  const double milliseconds = MillisecondsBetween(started, Clock::now());
  steps_++;
  broken_ = outcome == Context::Outcome::kBroken;
  if (outcome != Context::Outcome::kDone) return -milliseconds;
  const auto tokens = static_cast<int64_t>(context_.batch_tokens());
  const int64_t counted = std::min(tokens, int64_t{1} << StepCosts::kSizes);
  const double share = static_cast<double>(counted) / static_cast<double>(tokens);
  costs_ = LearnStep(costs_, {.tokens = counted, .milliseconds = milliseconds * share});
  return milliseconds;
}

void DraftModel::Forget(int64_t id) {
  const auto position = readers_.find(id);
  if (position == readers_.end()) return;
  const Reader& reader = position->second;
  if (reader.slot != Sequence::kNoSlot) {
    if (reader.ahead > 0) cache_.Settle(reader.slot);
    cache_.Release(reader.slot);
  }
  readers_.erase(position);
}

}  // namespace llamero
