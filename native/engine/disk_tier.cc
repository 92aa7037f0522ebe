#include "engine/disk_tier.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

namespace llamero {
namespace fs = std::filesystem;
namespace {

const char* const kEnding = ".kvcache";
// A partial file that nobody has written to for so long was left by a process that died.
constexpr auto kAbandoned = std::chrono::minutes(10);

std::string Hex(uint64_t value) {
  const char* const digits = "0123456789abcdef";
  std::string text(16, '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, value >>= 4) *digit = digits[value & 15];
  return text;
}

uint64_t HashOf(const std::string& text) {  // FNV-1a
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

uint64_t RandomNumber() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

struct File {
  fs::path path;
  int64_t bytes = 0;
  fs::file_time_type used;
};

/// The files of a folder whose names end so, the least recently used first. A folder that can't be read has none.
std::vector<File> FilesIn(const fs::path& directory, const std::string& ending) {
  std::vector<File> files;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (!entry->path().filename().string().ends_with(ending)) continue;
    std::error_code gone;
    const auto bytes = static_cast<int64_t>(entry->file_size(gone));
    const auto used = entry->last_write_time(gone);
    if (!gone) files.push_back({entry->path(), bytes, used});
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.used < b.used; });
  return files;
}

void RemoveFile(const fs::path& path) {
  std::error_code ignored;  // another process may have been faster
  fs::remove(path, ignored);
}

}  // namespace

DiskTier::DiskTier(const DiskTierOptions& options, std::function<void()> on_done)
    : options_(options), prefix_(Hex(HashOf(options.fingerprint))), on_done_(std::move(on_done)) {
  Scan();
  thread_ = std::make_unique<Thread>([this] { Run(); });
}

DiskTier::~DiskTier() { Stop(false); }

void DiskTier::Scan() {
  for (const File& file : FilesIn(options_.directory, kEnding)) {
    if (!file.path.filename().string().starts_with(prefix_)) continue;
    const std::optional<ListedSnapshot> listed = ReadSnapshotHead(file.path);
    if (!listed || listed->head.fingerprint != options_.fingerprint) {
      RemoveFile(file.path);
      continue;
    }
    const Id id =
        Enter(listed->head.root, listed->head.tokens, {.path = file.path, .state_bytes = listed->state_bytes});
    OnWritten(id, file.bytes);
  }
  const auto now = fs::file_time_type::clock::now();
  for (const File& file : FilesIn(options_.directory, std::string(kEnding) + kPartialEnding)) {
    if (now - file.used > kAbandoned) RemoveFile(file.path);
  }
}

DiskTier::Id DiskTier::Enter(const std::string& root, std::span<const Token> tokens, Entry entry) {
  const Id id = ++last_;
  const PrefixTree::Hit known = index_.Find(root, tokens);
  if (known.length > 0) {
    index_.Attach(id, known.holder, known.length);
  } else {
    index_.Attach(id, root);
  }
  index_.Append(id, tokens.subspan(known.length));
  entries_[id] = std::move(entry);
  return id;
}

void DiskTier::Drop(Id id) {
  const auto position = entries_.find(id);
  if (position == entries_.end()) return;
  if (position->second.written) {
    files_--;
    bytes_ -= position->second.file_bytes;
  }
  index_.Remove(id);
  entries_.erase(position);
}

DiskTier::Match DiskTier::Find(const std::string& root, std::span<const Token> tokens, bool whole) const {
  const PrefixTree::Hit hit = index_.Find(root, tokens, [&](Id id, int64_t length) {
    return entries_.at(id).written && (!whole || index_.Length(id) == length);
  });
  return {hit.holder, hit.length};
}

int64_t DiskTier::Known(const std::string& root, std::span<const Token> tokens, bool whole) const {
  return index_.Find(root, tokens, [&](Id id, int64_t length) { return !whole || index_.Length(id) == length; }).length;
}

int64_t DiskTier::BytesOf(Id id) const {
  return entries_.at(id).state_bytes + index_.Length(id) * static_cast<int64_t>(sizeof(Token));
}

void DiskTier::Put(const std::string& root, std::vector<Token> tokens, SnapshotStore::State state, bool replaces,
                   int64_t most_waiting) {
  const auto bytes = static_cast<int64_t>(state->size());
  if (waiting_bytes_ > 0 && waiting_bytes_ + bytes > most_waiting) return;
  Writing writing{.path = fs::path(options_.directory) / (prefix_ + "-" + Hex(RandomNumber()) + kEnding),
                  .head = {options_.fingerprint, root, std::move(tokens)},
                  .state = std::move(state),
                  .replaced = {}};
  if (SnapshotFileBytes(writing.head, writing.state->size()) > options_.bytes) return;
  const Id id = Enter(root, writing.head.tokens, {.path = writing.path, .state_bytes = bytes});
  if (replaces) {
    for (const Id beginning : index_.Beginnings(id)) writing.replaced.push_back(entries_.at(beginning).path);
  }
  waiting_bytes_ += bytes;
  Start(writes_,
        {.id = id, .waiting_bytes = bytes, .run = [this, writing = std::move(writing)] { return Write(writing); }});
}

DiskTier::News DiskTier::Write(const Writing& writing) const {
  const int64_t bytes = SnapshotFileBytes(writing.head, writing.state->size());
  News news;
  news.gone = MakeRoom(bytes);
  if (!WriteSnapshotFile(writing.path, writing.head, *writing.state)) return news;
  news.written = bytes;
  for (const fs::path& path : writing.replaced) {
    RemoveFile(path);
    news.gone.push_back(path);
  }
  return news;
}

/// Looks at the directory, not at the index: other processes write there too.
std::vector<fs::path> DiskTier::MakeRoom(int64_t bytes) const {
  std::vector<fs::path> gone;
  const std::vector<File> files = FilesIn(options_.directory, kEnding);
  for (const File& file : files) bytes += file.bytes;
  for (const File& file : files) {
    if (bytes <= options_.bytes) break;
    RemoveFile(file.path);
    gone.push_back(file.path);
    bytes -= file.bytes;
  }
  return gone;
}

void DiskTier::Fetch(Id id) {
  if (!fetching_.insert(id).second) return;
  const SnapshotHead head{options_.fingerprint, index_.RootOf(id), index_.TokensOf(id)};
  const auto read = [path = entries_.at(id).path, head] {
    News news;
    news.state = ReadSnapshotState(path, head);
    std::error_code ignored;
    if (news.state) {
      fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
    } else {
      RemoveFile(path);
    }
    return news;
  };
  Start(reads_, {.id = id, .run = read});
}

std::vector<DiskTier::Fetched> DiskTier::Settle() {
  std::vector<std::pair<Id, News>> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(news_);
  }
  std::vector<Fetched> fetched;
  for (auto& [id, news] : all) {
    for (const fs::path& path : news.gone) {
      const auto is_it = [&](const auto& entry) { return entry.second.path == path; };
      const auto position = std::find_if(entries_.begin(), entries_.end(), is_it);
      if (position != entries_.end()) Drop(position->first);
    }
    fetching_.erase(id);
    if (!entries_.contains(id)) continue;
    if (news.state) {
      fetched.push_back({index_.RootOf(id), index_.TokensOf(id), std::move(*news.state)});
    } else if (news.written > 0) {
      OnWritten(id, news.written);
    } else {
      Drop(id);
    }
  }
  return fetched;
}

void DiskTier::OnWritten(Id id, int64_t bytes) {
  Entry& entry = entries_.at(id);
  entry.written = true;
  entry.file_bytes = bytes;
  files_++;
  bytes_ += bytes;
}

void DiskTier::Start(std::deque<Job>& queue, Job job) {
  const std::lock_guard lock(mutex_);
  queue.push_back(std::move(job));
  changed_.notify_one();
}

void DiskTier::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !reads_.empty() || !writes_.empty(); });
    std::deque<Job>& queue = reads_.empty() ? writes_ : reads_;  // somebody waits for what is read
    if (queue.empty()) return;
    const Job job = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    News news;
    try {
      news = job.run();
    } catch (...) {
      // Out of memory, or a name that can't be: as if the file were not there.
    }
    waiting_bytes_ -= job.waiting_bytes;
    lock.lock();
    news_.emplace_back(job.id, std::move(news));
    lock.unlock();
    on_done_();
    lock.lock();
  }
}

void DiskTier::Stop(bool write) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    reads_.clear();
    if (!write) writes_.clear();
    changed_.notify_one();
  }
  if (thread_) thread_->Join();
  thread_.reset();
}

}  // namespace llamero
