#include "engine/thinking.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "failure.h"
#include "tokenizer.h"

namespace llamero {
namespace {

struct Found {
  size_t at = std::string::npos;
  size_t length = 0;
};

/// The first of the tags in a text; of those that begin there the longest.
Found FirstOf(const std::vector<std::string>& tags, const std::string& text, size_t from) {
  Found first;
  for (const std::string& tag : tags) {
    if (tag.empty()) continue;
    const size_t at = text.find(tag, from);
    if (at == std::string::npos) continue;
    if (at < first.at || (at == first.at && tag.size() > first.length)) first = {at, tag.size()};
  }
  return first;
}

}  // namespace

Thinking::Thinking(std::shared_ptr<const Model> model, const ThinkingSpec& spec)
    : model_(std::move(model)), spec_(spec) {
  if (spec_.max_tokens >= 0) {
    closing_ = TokensOfTemplate(*model_, spec_.closing);
    if (closing_.empty()) throw Failure("ERR_INTERNAL", "A limit of thinking needs a text that closes it.");
  }
  Append({LLAMA_TOKEN_NULL, spec_.prefix.size()}, spec_.prefix);
  Search();
  CloseIfSpent();
}

std::optional<llama_token> Thinking::dictated() const {
  if (state_ != State::kClosing) return std::nullopt;
  return closing_[dictated_];
}

std::vector<llama_token> Thinking::Accept(llama_token token) {
  const std::string text = model_->WrittenPiece(token);
  const bool was_inside = inside();
  Append({token, text.size()}, text);
  if (state_ == State::kClosing) {
    // Also if the text ends with none of the tags: what follows is not thinking.
    if (++dictated_ == closing_.size()) {
      Search();
      state_ = State::kOutside;
    }
  } else {
    if (state_ == State::kInside) left_--;
    Search();
    CloseIfSpent();
  }
  std::vector<llama_token> tokens;
  if (was_inside && !inside()) tokens = TokensFrom(end_tag_);
  Trim();
  return tokens;
}

void Thinking::Append(Piece piece, const std::string& text) {
  pieces_.push_back(piece);
  window_ += text;
  characters_.Add(text);
}

void Thinking::Search() {
  while (true) {
    const bool outside = state_ == State::kOutside;
    const Found found = FirstOf(outside ? std::vector{spec_.start} : spec_.ends, window_, from_);
    if (found.at == std::string::npos) return;
    from_ = found.at + found.length;
    if (outside) {
      state_ = State::kInside;
      left_ = spec_.max_tokens;
    } else {
      state_ = State::kOutside;
      end_tag_ = found.at;
    }
  }
}

void Thinking::CloseIfSpent() {
  if (state_ != State::kInside || spec_.max_tokens < 0 || left_ > 0 || characters_.holds()) return;
  state_ = State::kClosing;
  dictated_ = 0;
}

/// Drops what can't be part of a tag any more.
void Thinking::Trim() {
  size_t longest = spec_.start.size();
  for (const std::string& end : spec_.ends) longest = std::max(longest, end.size());
  while (!pieces_.empty() && window_.size() - pieces_.front().length >= longest) {
    const size_t length = pieces_.front().length;
    window_.erase(0, length);
    from_ -= std::min(from_, length);
    pieces_.pop_front();
  }
}

std::vector<llama_token> Thinking::TokensFrom(size_t at) const {
  std::vector<llama_token> tokens;
  size_t end = 0;
  for (const Piece& piece : pieces_) {
    end += piece.length;
    if (end > at && piece.token != LLAMA_TOKEN_NULL) tokens.push_back(piece.token);
  }
  return tokens;
}

}  // namespace llamero
