#include "engine/prefix_tree.h"

#include <algorithm>
#include <utility>

namespace llamero {

/// Invariant: every holder's path ends at the end of a node, and `holders` names all whose path leads through it.
struct PrefixTree::Node {
  Node* parent = nullptr;
  int64_t start = 0;  // tokens before this run
  std::vector<Token> tokens;
  std::vector<Holder> holders;
  int live = 0;  // how many of them are live
  std::vector<std::unique_ptr<Node>> children;

  int64_t size() const { return static_cast<int64_t>(tokens.size()); }
  int64_t end() const { return start + size(); }
};

namespace {

/// Calls visit(node) for a node and all below it.
template <typename Node, typename Visit>
void Walk(const Node& node, const Visit& visit) {
  visit(node);
  for (const auto& child : node.children) Walk(*child, visit);
}

}  // namespace

PrefixTree::PrefixTree() = default;
PrefixTree::~PrefixTree() = default;

PrefixTree::Node& PrefixTree::NodeOf(const std::string& root) {
  std::unique_ptr<Node>& node = roots_[root];
  if (!node) node = std::make_unique<Node>();
  return *node;
}

PrefixTree::Hit PrefixTree::Find(const std::string& root, std::span<const Token> tokens, const Usable& usable) const {
  const auto position = roots_.find(root);
  if (position == roots_.end()) return {};
  Hit best;
  const auto descend = [&](const auto& self, const Node& node, int64_t live) -> void {
    const std::span<const Token> rest = tokens.subspan(std::min<size_t>(node.start, tokens.size()));
    const auto [mine, theirs] = std::mismatch(node.tokens.begin(), node.tokens.end(), rest.begin(), rest.end());
    const int64_t matched = mine - node.tokens.begin();
    const bool whole = matched == node.size();
    if (node.live > 0) live += matched;
    const int64_t length = node.start + matched;
    if (length > best.length) {
      const auto serves = [&](Holder holder) { return !usable || usable(holder, length); };
      const auto ends_here = [&](Holder holder) { return holders_.at(holder).end == &node && serves(holder); };
      // One who stops here first: his slot may be taken over.
      auto holder = std::find_if(node.holders.begin(), node.holders.end(), ends_here);
      if (holder == node.holders.end()) holder = std::find_if(node.holders.begin(), node.holders.end(), serves);
      if (holder != node.holders.end()) best = {*holder, length, live};
    }
    if (!whole) return;
    // The same tokens may have been computed twice: look into every child that begins alike.
    for (const auto& child : node.children) {
      if (matched < static_cast<int64_t>(rest.size()) && child->tokens.front() == rest[matched])
        self(self, *child, live);
    }
  };
  descend(descend, *position->second, 0);
  return best;
}

void PrefixTree::Attach(Holder holder, const std::string& root) {
  Node& node = NodeOf(root);
  node.holders.push_back(holder);
  node.live++;
  holders_[holder] = {.end = &node, .used = ++clock_};
}

void PrefixTree::Attach(Holder holder, Holder other, int64_t length) {
  Node* node = holders_.at(other).end;
  while (node->start >= length && node->parent != nullptr) node = node->parent;
  node = &CutAt(*node, length);
  holders_[holder] = {.end = node, .used = ++clock_};
  holders_.at(other).used = ++clock_;
  for (Node* above = node; above != nullptr; above = above->parent) above->holders.push_back(holder);
  CountLive(node, 1);
}

/// Makes a node end at `depth`, which lies in `node`; its rest becomes the only child.
PrefixTree::Node& PrefixTree::CutAt(Node& node, int64_t depth) {
  if (depth == node.end()) return node;
  auto lower = std::make_unique<Node>();
  const auto cut = node.tokens.begin() + (depth - node.start);
  lower->parent = &node;
  lower->start = depth;
  lower->tokens.assign(cut, node.tokens.end());
  lower->holders = node.holders;
  lower->live = node.live;
  lower->children = std::move(node.children);
  for (const auto& child : lower->children) child->parent = lower.get();
  for (const Holder holder : node.holders) {
    Path& path = holders_.at(holder);
    if (path.end == &node) path.end = lower.get();
  }
  node.tokens.erase(cut, node.tokens.end());
  node.children.clear();
  node.children.push_back(std::move(lower));
  return node;
}

void PrefixTree::Append(Holder holder, std::span<const Token> tokens) {
  if (tokens.empty()) return;
  Path& path = holders_.at(holder);
  Node& end = *path.end;
  const bool alone = end.parent != nullptr && end.holders.size() == 1 && end.children.empty();
  if (alone) {
    end.tokens.insert(end.tokens.end(), tokens.begin(), tokens.end());
    return;
  }
  auto node = std::make_unique<Node>();
  node->parent = &end;
  node->start = end.end();
  node->tokens.assign(tokens.begin(), tokens.end());
  node->holders = {holder};
  node->live = path.live ? 1 : 0;
  path.end = node.get();
  end.children.push_back(std::move(node));
}

void PrefixTree::Truncate(Holder holder, int64_t length) {
  Path& path = holders_.at(holder);
  Node* node = path.end;
  while (node->start >= length && node->parent != nullptr) node = node->parent;
  Node* kept = &CutAt(*node, length);
  Node* left = path.end;
  if (left == kept) return;
  path.end = kept;
  Leave(left, kept, holder, path.live);
}

void PrefixTree::Remove(Holder holder) {
  const auto position = holders_.find(holder);
  if (position == holders_.end()) return;
  const Path path = position->second;
  holders_.erase(position);
  Leave(path.end, nullptr, holder, path.live);
  std::erase_if(roots_, [](const auto& root) { return root.second->holders.empty(); });
}

/// Takes the holder off the nodes from `from` up to, but not including, `until`, and frees those that nobody holds.
void PrefixTree::Leave(Node* from, const Node* until, Holder holder, bool live) {
  for (Node* node = from; node != until;) {
    Node* parent = node->parent;
    std::erase(node->holders, holder);
    node->live -= live ? 1 : 0;
    if (parent != nullptr && node->holders.empty()) {
      std::erase_if(parent->children, [&](const std::unique_ptr<Node>& child) { return child.get() == node; });
    }
    node = parent;
  }
}

void PrefixTree::Rest(Holder holder) {
  Path& path = holders_.at(holder);
  if (std::exchange(path.live, false)) CountLive(path.end, -1);
  Touch(holder);
}

void PrefixTree::Wake(Holder holder) {
  Path& path = holders_.at(holder);
  if (!std::exchange(path.live, true)) CountLive(path.end, 1);
  Touch(holder);
}

void PrefixTree::CountLive(Node* end, int change) {
  for (Node* node = end; node != nullptr; node = node->parent) node->live += change;
}

int64_t PrefixTree::Length(Holder holder) const { return holders_.at(holder).end->end(); }

std::vector<PrefixTree::Token> PrefixTree::TokensOf(Holder holder) const {
  std::vector<Token> tokens(Length(holder));
  for (const Node* node = holders_.at(holder).end; node != nullptr; node = node->parent) {
    std::copy(node->tokens.begin(), node->tokens.end(), tokens.begin() + node->start);
  }
  return tokens;
}

std::string PrefixTree::RootOf(Holder holder) const {
  const Node* node = holders_.at(holder).end;
  while (node->parent != nullptr) node = node->parent;
  const auto is_it = [&](const auto& root) { return root.second.get() == node; };
  return std::find_if(roots_.begin(), roots_.end(), is_it)->first;
}

int64_t PrefixTree::SharedLength(Holder holder) const {
  const Node* node = holders_.at(holder).end;
  while (node->holders.size() == 1 && node->parent != nullptr) node = node->parent;
  return node->end();
}

std::vector<PrefixTree::Holder> PrefixTree::Beginnings(Holder holder) const {
  std::vector<Holder> beginnings;
  for (const Node* node = holders_.at(holder).end; node != nullptr; node = node->parent) {
    for (const Holder other : node->holders) {
      if (other != holder && holders_.at(other).end == node) beginnings.push_back(other);
    }
  }
  return beginnings;
}

std::optional<PrefixTree::Holder> PrefixTree::Oldest(bool also_pinned, Holder except) const {
  std::optional<Holder> oldest;
  const auto order = [&](Holder holder) { return std::pair(holders_.at(holder).pinned, holders_.at(holder).used); };
  for (const auto& [holder, path] : holders_) {
    if (path.live || holder == except || (path.pinned && !also_pinned)) continue;
    if (!oldest || order(holder) < order(*oldest)) oldest = holder;
  }
  return oldest;
}

template <typename Counts>
int64_t PrefixTree::Sum(Counts counts) const {
  int64_t sum = 0;
  for (const auto& [name, root] : roots_) {
    Walk(*root, [&](const Node& node) { sum += counts(node) ? node.size() : 0; });
  }
  return sum;
}

int64_t PrefixTree::cells() const {
  return Sum([](const Node&) { return true; });
}

int64_t PrefixTree::live_cells() const {
  return Sum([](const Node& node) { return node.live > 0; });
}

int64_t PrefixTree::loose_cells() const {
  return Sum([&](const Node& node) {
    return std::all_of(node.holders.begin(), node.holders.end(), [&](Holder holder) { return IsLoose(holder); });
  });
}

size_t PrefixTree::loose_count() const {
  return std::count_if(holders_.begin(), holders_.end(), [&](const auto& entry) { return IsLoose(entry.first); });
}

int64_t PrefixTree::OwnCells(Holder holder) const {
  int64_t sum = 0;
  for (const Node* node = holders_.at(holder).end; node != nullptr && node->live <= 1; node = node->parent) {
    sum += node->size();
  }
  return sum;
}

}  // namespace llamero
