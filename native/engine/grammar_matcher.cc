#include "engine/grammar_matcher.h"

#include <algorithm>
#include <limits>

#include "failure.h"

namespace llamero {
namespace {

constexpr auto kNowhere = GrammarAutomaton::kNowhere;

/// What the states and masks of a grammar may take before they are found anew.
constexpr size_t kMostBytes = size_t{4} << 20;

/// Whether a character that is cut off can become one that may stand behind `state`.
bool CanGoOn(GrammarAutomaton& automaton, GrammarAutomaton::State state, const Utf8Tail& tail) {
  const uint32_t last = automaton.rules().ClassOf(tail.last());
  for (uint32_t code_class = automaton.rules().ClassOf(tail.first()); code_class <= last; code_class++) {
    if (automaton.Next(state, code_class) != kNowhere) return true;
  }
  return false;
}

GrammarAutomaton::State Walk(GrammarAutomaton& automaton, GrammarAutomaton::State state,
                             std::span<const uint32_t> code_points) {
  for (const uint32_t code_point : code_points) {
    if (state == kNowhere) break;
    state = automaton.Next(state, automaton.rules().ClassOf(code_point));
  }
  return state;
}

std::vector<uint32_t> PlainClasses(const GrammarRules& rules) {
  std::vector<uint32_t> classes;
  for (const auto& [first, last] : TokenTexts::kPlain) {
    for (uint32_t code_class = rules.ClassOf(first); code_class <= rules.ClassOf(last); code_class++) {
      if (classes.empty() || classes.back() < code_class) classes.push_back(code_class);
    }
  }
  return classes;
}

/// Whether any plain text of the longest kind may stand behind `state`.
bool TakesAnyPlainText(GrammarAutomaton& automaton, GrammarAutomaton::State state) {
  for (size_t i = 0; i < TokenTexts::kMostPlain && state != kNowhere; i++) state = automaton.NextIfPlain(state);
  return state != kNowhere;
}

}  // namespace

CompiledGrammar::CompiledGrammar(const Model& model, std::shared_ptr<const TokenTexts> texts, const std::string& text,
                                 const std::vector<llama_token>& written)
    : model_(model),
      texts_(std::move(texts)),
      written_([&] {
        std::vector<WrittenToken> tokens;
        for (const llama_token token : written) {
          if (model.EndsGeneration(token) || !model.Piece(token).empty()) continue;
          const std::string piece = model.WrittenPiece(token);
          tokens.push_back({token, piece, DecodePiece(piece, {}).code_points});
        }
        return tokens;
      }()),
      rules_(text, model.vocab()),
      plain_(PlainClasses(rules_)),
      found_(std::make_shared<Found>(rules_, plain_)) {}

size_t CompiledGrammar::bytes() const {
  const std::lock_guard lock(mutex_);
  return sizeof(*this) + rules_.bytes() + found_->automaton.bytes() + found_->mask_bytes;
}

const std::string& CompiledGrammar::TextOf(llama_token token) const {
  for (const WrittenToken& written : written_) {
    if (written.token == token) return written.text;
  }
  return model_.Piece(token);
}

const TokenMask& CompiledGrammar::MaskOf(Found& found, GrammarAutomaton::State state) {
  if (found.masks.size() <= state) found.masks.resize(state + 1);
  if (!found.masks[state]) {
    auto mask = std::make_shared<const TokenMask>(AllowedIn(found.automaton, state));
    found.mask_bytes += mask->bytes();
    found.masks[state] = std::move(mask);
  }
  return *found.masks[state];
}

TokenSet CompiledGrammar::AllowedIn(GrammarAutomaton& automaton, GrammarAutomaton::State state) const {
  TokenSet allowed(model_.vocabulary_size());
  if (TakesAnyPlainText(automaton, state)) {
    allowed.Add(texts_->plain().tokens());
  } else {
    AddTexts(automaton, state, texts_->plain(), allowed);
  }
  AddTexts(automaton, state, texts_->others(), allowed);
  for (const TokenTexts::CutToken& cut : texts_->cut()) {
    const auto behind = Walk(automaton, state, cut.code_points);
    if (behind != kNowhere && CanGoOn(automaton, behind, cut.tail)) allowed.Add(cut.token);
  }
  for (const WrittenToken& written : written_) {
    if (Walk(automaton, state, written.code_points) != kNowhere) allowed.Add(written.token);
  }
  if (automaton.WaitsForTokens(state)) {
    for (llama_token token = 0; token < model_.vocabulary_size(); token++) {
      if (allowed.Has(token) || model_.EndsGeneration(token)) continue;
      const bool has_text = !model_.Piece(token).empty();
      if (automaton.NextByToken(state, token, has_text, kNowhere) != kNowhere) allowed.Add(token);
    }
  }
  if (automaton.Accepts(state)) allowed.Add(model_.end_tokens());
  return allowed;
}

void CompiledGrammar::AddTexts(GrammarAutomaton& automaton, GrammarAutomaton::State state, const TokenTrie& trie,
                               TokenSet& allowed) const {
  const GrammarRules& rules = automaton.rules();
  std::vector<GrammarAutomaton::State> path(trie.depth() + 1, kNowhere);
  path[0] = state;
  const auto nodes = trie.nodes();
  for (size_t i = 0; i < nodes.size();) {
    const TokenTrie::Node& node = nodes[i];
    const auto next = automaton.Next(path[node.depth], rules.ClassOf(node.code_point));
    if (next == kNowhere) {
      i = node.end;
      continue;
    }
    path[node.depth + 1] = next;
    allowed.Add(trie.tokens().subspan(node.first, node.count));
    i++;
  }
}

GrammarMatcher::GrammarMatcher(std::shared_ptr<CompiledGrammar> grammar) : grammar_(std::move(grammar)) {
  const std::lock_guard lock(grammar_->mutex_);
  found_ = grammar_->found_;
  state_ = found_->automaton.start();
}

void GrammarMatcher::Refresh() {
  if (found_->automaton.bytes() + found_->mask_bytes > kMostBytes && grammar_->found_ == found_) {
    grammar_->found_ = std::make_shared<CompiledGrammar::Found>(grammar_->rules_, grammar_->plain_);
  }
  if (grammar_->found_ == found_) return;
  state_ = grammar_->found_->automaton.Adopt(found_->automaton, state_);
  found_ = grammar_->found_;
}

void GrammarMatcher::Mask(std::span<float> row) {
  const std::lock_guard lock(grammar_->mutex_);
  Refresh();
  if (tail_.missing > 0) {
    MaskInsideCharacter(row);
  } else {
    grammar_->MaskOf(*found_, state_).Apply(row);
  }
}

/// Only tokens that begin within a character can go on here, and these are few.
void GrammarMatcher::MaskInsideCharacter(std::span<float> row) const {
  TokenSet allowed(row.size());
  for (const llama_token token : grammar_->texts_->inner()) {
    if (Allows(grammar_->model_.Piece(token))) allowed.Add(token);
  }
  TokenMask(allowed).Apply(row);
}

bool GrammarMatcher::Allows(std::string_view bytes) const {
  const DecodedPiece piece = DecodePiece(bytes, tail_);
  return piece.valid && Behind(piece) != kNowhere;
}

GrammarAutomaton::State GrammarMatcher::Behind(const DecodedPiece& piece) const {
  const auto behind = Walk(found_->automaton, state_, piece.code_points);
  if (behind == kNowhere || piece.tail.missing == 0) return behind;
  return CanGoOn(found_->automaton, behind, piece.tail) ? behind : kNowhere;
}

void GrammarMatcher::Accept(llama_token token) {
  const std::lock_guard lock(grammar_->mutex_);
  Refresh();
  if (grammar_->model_.EndsGeneration(token) && tail_.missing == 0 && found_->automaton.Accepts(state_)) return;
  const std::string& bytes = grammar_->TextOf(token);
  const DecodedPiece piece = DecodePiece(bytes, tail_);
  auto behind = piece.valid && !bytes.empty() ? Behind(piece) : kNowhere;
  if (tail_.missing == 0 && found_->automaton.WaitsForTokens(state_)) {
    behind = found_->automaton.NextByToken(state_, token, !bytes.empty(), behind);
  }
  if (behind == kNowhere) throw Failure("ERR_GRAMMAR", "The grammar does not allow the token that was chosen.");
  state_ = behind;
  tail_ = piece.valid ? piece.tail : Utf8Tail{};
}

void GrammarMatcher::AcceptText(std::string_view text) {
  const std::lock_guard lock(grammar_->mutex_);
  Refresh();
  const DecodedPiece piece = DecodePiece(text, tail_);
  const auto behind = piece.valid ? Behind(piece) : kNowhere;
  if (behind == kNowhere) throw Failure("ERR_GRAMMAR", "The grammar does not allow the text before the answer.");
  state_ = behind;
  tail_ = piece.tail;
}

}  // namespace llamero
